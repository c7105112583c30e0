//! The results as pictures: up to three for each family, each of them a panel for each workload.

use crate::results::{Outcome, Results, Standing};
use crate::table::time;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::error::Error;
use std::path::Path;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Result = std::result::Result<(), Box<dyn Error>>;

/// In pixels.
const PANEL_WIDTH: u32 = 340;
const LINES_HEIGHT: u32 = 240;
const BAR_HEIGHT: u32 = 20;
const LEGEND_HEIGHT: u32 = 34;
const TITLE: i32 = 16;
const SMALL: i32 = 14;

/// The files that [`draw`] writes for a family, and what they show.
pub(crate) fn pictures(results: &Results, family: &str) -> Vec<(String, String)> {
    let of_family = || results.workloads.iter().filter(|outcome| outcome.family == family);
    let mut pictures = vec![("bars", "each workload")];
    if !lines_of(of_family()).is_empty() {
        pictures.push(("lines", "as the number changes"));
    }
    if of_family().any(|outcome| outcome.standings.iter().any(|standing| standing.waits.is_some())) {
        pictures.push(("waits", "how long operations wait"));
    }
    pictures
        .into_iter()
        .map(|(kind, title)| (format!("{family}-{kind}.svg"), format!("{family}: {title}")))
        .collect()
}

/// Draws everything into the folder, which is made if it is not there.
pub(crate) fn draw(results: &Results, folder: &Path) -> Result {
    std::fs::create_dir_all(folder)?;
    let mut families: Vec<&str> = results.workloads.iter().map(|outcome| outcome.family.as_str()).collect();
    families.dedup();
    for family in families {
        let outcomes: Vec<&Outcome> =
            results.workloads.iter().filter(|outcome| outcome.family == family).collect();
        for (file, _) in pictures(results, family) {
            let path = folder.join(&file);
            if file.ends_with("bars.svg") {
                bars(&path, &outcomes)?;
            } else if file.ends_with("lines.svg") {
                let lines = lines_of(outcomes.iter().copied());
                let names = names(lines.iter().flatten().copied());
                panels(&path, LINES_HEIGHT, &names, lines.iter(), |area, line| steps(area, line))?;
            } else {
                let waiting = |outcome: &&&Outcome| outcome.standings.iter().any(|s| s.waits.is_some());
                let waiting: Vec<&Outcome> = outcomes.iter().filter(waiting).copied().collect();
                let names = names(waiting.iter().copied());
                panels(&path, LINES_HEIGHT, &names, waiting.iter(), |area, outcome| waits(area, outcome))?;
            }
        }
    }
    Ok(())
}

/// A contender has the same colour everywhere.
fn color(name: &str) -> RGBColor {
    match name.split(' ').next().unwrap_or_default() {
        "lockwork" => RGBColor(0xC6, 0x28, 0x28),
        "std" => RGBColor(0x45, 0x5A, 0x64),
        "parking_lot" => RGBColor(0x15, 0x65, 0xC0),
        "usync" => RGBColor(0x2E, 0x7D, 0x32),
        "crossbeam" | "ShardedLock" => RGBColor(0xEF, 0x6C, 0x00),
        "flume" | "hurdles" | "threadpool" => RGBColor(0x6A, 0x1B, 0x9A),
        "kanal" | "rsevents" | "rayon" => RGBColor(0x00, 0x83, 0x8F),
        "tokio" | "thread_local" => RGBColor(0x8D, 0x6E, 0x63),
        // The reference locks of the simulated machine.
        "three-state" | "central" | "futex" | "sense-reversing," => RGBColor(0x45, 0x5A, 0x64),
        "barging," => RGBColor(0x15, 0x65, 0xC0),
        "MCS" | "tree," => RGBColor(0x2E, 0x7D, 0x32),
        "sharded" | "ticket" => RGBColor(0xEF, 0x6C, 0x00),
        "test-and-test-and-set" => RGBColor(0x8D, 0x6E, 0x63),
        _ => BLACK,
    }
}

/// `std` has the plain one, and what is made of it a lighter one.
fn shade(name: &str) -> RGBAColor {
    color(name).mix(if name.contains(" + ") { 0.6 } else { 1.0 })
}

fn text(size: i32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&BLACK)
}

/// The contenders of these workloads, each once.
fn names<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> Vec<&'a str> {
    let mut names = Vec::new();
    for standing in outcomes.flat_map(|outcome| &outcome.standings) {
        if !names.contains(&standing.name.as_str()) {
            names.push(&standing.name);
        }
    }
    names
}

/// A grid of panels below a legend.
fn panels<'a, T: 'a>(
    path: &Path,
    height: u32,
    names: &[&str],
    items: impl ExactSizeIterator<Item = &'a T>,
    draw: impl Fn(&Area<'_>, &T) -> Result,
) -> Result {
    // Two at least, so that the legend has room.
    let columns = items.len().clamp(2, 4);
    let rows = items.len().div_ceil(columns);
    let size = (PANEL_WIDTH * columns as u32, height * rows as u32 + LEGEND_HEIGHT);
    let root = SVGBackend::new(path, size).into_drawing_area();
    root.fill(&WHITE)?;
    let (legend, grid) = root.split_vertically(LEGEND_HEIGHT);
    let mut x = 12;
    for name in names {
        legend.draw(&Rectangle::new([(x, 11), (x + 12, 23)], shade(name).filled()))?;
        legend.draw(&Text::new((*name).to_owned(), (x + 17, 10), text(TITLE)))?;
        x += 40 + 8 * name.len() as i32;
    }
    for (item, area) in items.zip(grid.split_evenly((rows, columns))) {
        draw(&area.margin(4, 8, 8, 12), item)?;
    }
    root.present()?;
    Ok(())
}

/// One bar for each contender, with its number beside it.
fn bars(path: &Path, outcomes: &[&Outcome]) -> Result {
    let most = outcomes.iter().map(|outcome| outcome.standings.len()).max().unwrap_or(1) as u32;
    let names = names(outcomes.iter().copied());
    panels(path, most * BAR_HEIGHT + 40, &names, outcomes.iter(), |area, outcome| {
        let (width, _) = area.dim_in_pixel();
        area.draw(&Text::new(outcome.name.clone(), (0, 4), text(TITLE)))?;
        let value = |standing: &Standing| {
            if outcome.rest {
                standing.cpu_nanoseconds.unwrap_or_default()
            } else {
                standing.operations_per_second
            }
        };
        let longest = outcome.standings.iter().map(value).fold(f64::MIN_POSITIVE, f64::max);
        // The number has its place to the right of the longest bar.
        let room = f64::from(width) - 110.0;
        for (row, standing) in outcome.standings.iter().enumerate() {
            let top = 24 + row as i32 * BAR_HEIGHT as i32;
            let end = (value(standing) / longest * room).max(1.0) as i32;
            let bar = Rectangle::new(
                [(0, top), (end, top + BAR_HEIGHT as i32 - 4)],
                shade(&standing.name).filled(),
            );
            area.draw(&bar)?;
            let label = if outcome.rest {
                format!("{} of CPU", time(value(standing)))
            } else {
                format!("{}/s", amount(value(standing)))
            };
            area.draw(&Text::new(label, (end + 5, top + 2), text(SMALL)))?;
        }
        Ok(())
    })
}

/// With a prefix for thousands and millions.
fn amount(value: f64) -> String {
    let (value, unit) = match value {
        1e9.. => (value / 1e9, " G"),
        1e6.. => (value / 1e6, " M"),
        1e3.. => (value / 1e3, " k"),
        _ => (value, " "),
    };
    if value < 10.0 { format!("{value:.2}{unit}") } else { format!("{value:.0}{unit}") }
}

/// The workloads that differ in one number only, if there are enough of them for a line.
fn lines_of<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> Vec<Vec<&'a Outcome>> {
    let mut lines: Vec<Vec<&Outcome>> = Vec::new();
    for outcome in outcomes.filter(|outcome| outcome.axis.is_some()) {
        match lines.iter_mut().find(|line| line[0].shape == outcome.shape) {
            Some(line) => line.push(outcome),
            None => lines.push(vec![outcome]),
        }
    }
    lines.retain(|line| line.len() > 2);
    lines
}

/// Operations a second over what varies, one step for each value.
fn steps(area: &Area<'_>, line: &[&Outcome]) -> Result {
    let Some(first) = line.first() else { return Ok(()) };
    let axis = first.axis.as_ref().map_or("", |(axis, _)| axis.as_str());
    let values: Vec<usize> = line.iter().filter_map(|outcome| Some(outcome.axis.as_ref()?.1)).collect();
    let speeds = line.iter().flat_map(|outcome| &outcome.standings).map(|s| s.operations_per_second);
    let top = speeds.fold(1.0, f64::max) * 1.05;
    let mut chart = ChartBuilder::on(area)
        .caption(format!("{}/{}", first.family, first.shape), text(TITLE))
        .x_label_area_size(34)
        .y_label_area_size(52)
        .build_cartesian_2d(0..values.len() - 1, 0.0..top)?;
    let label = |step: &usize| values.get(*step).map_or_else(String::new, ToString::to_string);
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .x_labels(values.len())
        .y_labels(5)
        .x_label_formatter(&label)
        .y_label_formatter(&|speed| amount(*speed))
        .x_desc(axis)
        .label_style(text(SMALL))
        .draw()?;
    for name in names(line.iter().copied()) {
        let points: Vec<(usize, f64)> = line
            .iter()
            .enumerate()
            .filter_map(|(step, outcome)| {
                let standing = outcome.standings.iter().find(|standing| standing.name == name)?;
                Some((step, standing.operations_per_second))
            })
            .collect();
        let style = shade(name).stroke_width(if name == crate::support::OURS { 3 } else { 2 });
        chart.draw_series(points.iter().map(|&point| Circle::new(point, 3, shade(name).filled())))?;
        chart.draw_series(LineSeries::new(points, style))?;
    }
    Ok(())
}

/// The share of waits that are longer, as its number of zeros: 90 % at 1, 99 % at 2. The longest is at the
/// end.
fn nines(share: f64) -> f64 {
    if share < 1.0 { -(1.0 - share).log10() } else { NINES }
}

const NINES: f64 = 5.0;

/// How long a share of all waits is at most, on a scale of powers of ten.
fn waits(area: &Area<'_>, outcome: &Outcome) -> Result {
    let lengths = |standing: &Standing| {
        let waits = standing.waits.as_ref();
        waits.map_or_else(Vec::new, |waits| {
            let point = |&(share, wait): &(f64, u64)| (nines(share), (wait.max(1) as f64).log10());
            waits.distribution.iter().map(point).collect()
        })
    };
    let top = outcome.standings.iter().flat_map(lengths).map(|(_, wait)| wait).fold(1.0, f64::max).ceil();
    let mut chart = ChartBuilder::on(area)
        .caption(&outcome.name, text(TITLE))
        .x_label_area_size(22)
        .y_label_area_size(52)
        .build_cartesian_2d(0.0..NINES, 1.0..top.max(2.0))?;
    let share = |x: &f64| match x.round() as u32 {
        0 => String::new(),
        1 => "90 %".to_owned(),
        2 => "99 %".to_owned(),
        5 => "all".to_owned(),
        nines => format!("99.{} %", "9".repeat(nines as usize - 2)),
    };
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .x_labels(6)
        .y_labels(top as usize + 1)
        .x_label_formatter(&share)
        .y_label_formatter(&|power| time(10f64.powf(*power)))
        .label_style(text(SMALL).pos(Pos::new(HPos::Center, VPos::Top)))
        .draw()?;
    for standing in &outcome.standings {
        let style = shade(&standing.name).stroke_width(if standing.is_ours() { 3 } else { 2 });
        chart.draw_series(LineSeries::new(lengths(standing), style))?;
    }
    Ok(())
}
