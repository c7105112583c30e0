//! All executions of a program: each way through each thread by the values that its loads may find, then
//! each choice of the writes that they read from (rf), then each order of the writes of a location (mo).
//! Which of them are consistent is for a memory model to say.

use std::collections::{BTreeMap, BTreeSet};

use super::relation::{MOST, Relation, Set};

/// A memory order, of an access or a fence. `Plain` is no atomic access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Plain,
    Relaxed,
    Acquire,
    Release,
    AcqRel,
    SeqCst,
}

impl Mode {
    pub(super) fn acquires(self) -> bool {
        matches!(self, Self::Acquire | Self::AcqRel | Self::SeqCst)
    }

    pub(super) fn releases(self) -> bool {
        matches!(self, Self::Release | Self::AcqRel | Self::SeqCst)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    Write,
    Fence,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Of no exchange, or its read.
    Own,
    /// The write of an exchange, whose read is the event before.
    Exchange,
    /// The same, where read and write are instructions of their own.
    Conditional,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    /// `None` for the first value of a location.
    pub(super) thread: Option<usize>,
    pub(super) kind: Kind,
    /// 0 for a fence.
    pub(super) location: usize,
    pub(super) value: i64,
    pub(super) mode: Mode,
    pub(super) part: Part,
}

/// One way through a thread.
pub(super) struct Path {
    pub(super) events: Vec<Event>,
    pub(super) registers: BTreeMap<String, i64>,
}

/// A path in the making: loads take the values that are given, until there are no more.
pub(super) struct Walk<'a> {
    thread: usize,
    given: &'a [i64],
    pub(super) path: Path,
}

/// The location of the load for which no value was given.
pub(super) struct Short(usize);

/// What can be run.
pub(super) trait Program {
    fn name(&self) -> &str;
    /// What the locations have at first.
    fn initial(&self) -> &[i64];
    fn threads(&self) -> usize;
    /// Goes through a thread, as far as values are given.
    fn run(&self, thread: usize, walk: &mut Walk<'_>) -> Result<(), Short>;
}

impl Walk<'_> {
    /// What the next load, of this location, will find.
    pub(super) fn next(&self, location: usize) -> Result<i64, Short> {
        self.given.first().copied().ok_or(Short(location))
    }

    pub(super) fn event(&mut self, kind: Kind, location: usize, value: i64, mode: Mode, part: Part) {
        self.path.events.push(Event { thread: Some(self.thread), kind, location, value, mode, part });
    }

    pub(super) fn load(&mut self, location: usize, mode: Mode) -> Result<i64, Short> {
        let value = self.next(location)?;
        self.given = &self.given[1..];
        self.event(Kind::Read, location, value, mode, Part::Own);
        Ok(value)
    }

    /// A read and a write: AcqRel is an Acquire of the one and a Release of the other.
    pub(super) fn exchange(
        &mut self,
        location: usize,
        change: impl Fn(i64) -> i64,
        mode: Mode,
    ) -> Result<i64, Short> {
        let read = match mode {
            Mode::AcqRel => Mode::Acquire,
            Mode::Release => Mode::Relaxed,
            other => other,
        };
        let write = match mode {
            Mode::AcqRel => Mode::Release,
            Mode::Acquire => Mode::Relaxed,
            other => other,
        };
        let found = self.load(location, read)?;
        self.event(Kind::Write, location, change(found), write, Part::Exchange);
        Ok(found)
    }
}

/// All paths of a thread whose loads find one of these values.
fn paths(program: &dyn Program, thread: usize, values: &[BTreeSet<i64>]) -> Vec<Path> {
    let mut whole = Vec::new();
    let mut begun = vec![Vec::new()];
    while let Some(given) = begun.pop() {
        let path = Path { events: Vec::new(), registers: BTreeMap::new() };
        let mut walk = Walk { thread, given: &given, path };
        match program.run(thread, &mut walk) {
            Ok(()) => whole.push(walk.path),
            Err(Short(location)) => begun.extend(values[location].iter().map(|value| {
                let mut longer = given.clone();
                longer.push(*value);
                longer
            })),
        }
    }
    whole
}

/// The paths of all threads. The values that a load may find are those that some path writes: found from
/// the first values on. Each round is one exchange more behind another, and no execution has more than it
/// has writes.
fn all_paths(program: &dyn Program) -> Vec<Vec<Path>> {
    let mut values: Vec<BTreeSet<i64>> =
        program.initial().iter().map(|value| BTreeSet::from([*value])).collect();
    let mut rounds = 0;
    loop {
        let threads: Vec<Vec<Path>> =
            (0..program.threads()).map(|thread| paths(program, thread, &values)).collect();
        let is_write = |event: &&Event| event.kind == Kind::Write;
        let writes_of = |path: &Path| path.events.iter().filter(is_write).count();
        let most: usize = threads.iter().map(|paths| paths.iter().map(writes_of).max().unwrap_or(0)).sum();
        let before = values.clone();
        for event in threads.iter().flatten().flat_map(|path| &path.events).filter(is_write) {
            values[event.location].insert(event.value);
        }
        if values == before || rounds > most {
            return threads;
        }
        rounds += 1;
    }
}

/// An execution, consistent or not.
pub(super) struct Execution {
    pub(super) events: Vec<Event>,
    /// Sequenced before; the first values stand before all.
    pub(super) sb: Relation,
    pub(super) rf: Relation,
    pub(super) mo: Relation,
    pub(super) rmw: Relation,
    pub(super) registers: Vec<BTreeMap<String, i64>>,
    /// What the locations have at the end.
    pub(super) memory: Vec<i64>,
}

impl Execution {
    pub(super) fn size(&self) -> usize {
        self.events.len()
    }

    pub(super) fn set(&self, is_in: impl Fn(&Event) -> bool) -> Set {
        let events = self.events.iter().enumerate().filter(|(_, event)| is_in(event));
        events.fold(0, |set, (event, _)| set | 1 << event)
    }

    /// Two accesses of one location.
    pub(super) fn same_location(&self) -> Relation {
        Relation::of(self.size(), |a, b| {
            let (a, b) = (&self.events[a], &self.events[b]);
            a.kind != Kind::Fence && b.kind != Kind::Fence && a.location == b.location
        })
    }

    /// Reads before: from a read to the writes that come after the one that it read from.
    pub(super) fn rb(&self) -> Relation {
        self.rf.inverse().then(&self.mo)
    }
}

/// The values that events of this kind have at their locations, a bit for each of `all`.
fn values_of(kind: Kind, events: &[Event], all: &[(usize, i64)]) -> u64 {
    let events = events.iter().filter(|event| event.kind == kind);
    events.fold(0, |set, event| {
        let value = (event.location, event.value);
        set | 1 << all.iter().position(|other| *other == value).expect("a value that no path writes")
    })
}

/// Hands each execution of the program to `visit`; those in which a read finds a value that follows from it
/// only if `thin_air` is asked for.
pub(super) fn executions(program: &dyn Program, thin_air: bool, visit: &mut impl FnMut(&Execution)) {
    let paths = all_paths(program);
    let first = program.initial().iter().copied().enumerate();
    let events = paths.iter().flatten().flat_map(|path| &path.events);
    let events = events.filter(|event| event.kind != Kind::Fence);
    let all: BTreeSet<_> = first.chain(events.map(|event| (event.location, event.value))).collect();
    let all: Vec<(usize, i64)> = all.into_iter().collect();
    assert!(all.len() <= 64, "{}: too many values", program.name());
    let found = |path: &Path| values_of(Kind::Read, &path.events, &all);
    let left = |path: &Path| values_of(Kind::Write, &path.events, &all);
    let sets: Vec<Vec<(u64, u64)>> =
        (paths.iter()).map(|paths| paths.iter().map(|path| (found(path), left(path))).collect()).collect();
    let begin = values_of(Kind::Write, &first_values(program), &all);
    let mut chosen = vec![0; paths.len()];
    loop {
        // Most combinations have a read of what none of their writes has left.
        let (found, left) = (chosen.iter().zip(&sets))
            .fold((0, begin), |(found, left), (path, sets)| (found | sets[*path].0, left | sets[*path].1));
        if found & !left == 0 {
            let combination: Vec<&Path> =
                chosen.iter().zip(&paths).map(|(path, paths)| &paths[*path]).collect();
            of_combination(program, &combination, thin_air, visit);
        }
        let Some(next) = (0..chosen.len()).find(|thread| chosen[*thread] + 1 < paths[*thread].len()) else {
            return;
        };
        chosen[next] += 1;
        chosen[..next].fill(0);
    }
}

fn first_values(program: &dyn Program) -> Vec<Event> {
    let first = |(location, value): (usize, &i64)| Event {
        thread: None,
        kind: Kind::Write,
        location,
        value: *value,
        mode: Mode::Plain,
        part: Part::Own,
    };
    program.initial().iter().enumerate().map(first).collect()
}

fn of_combination(
    program: &dyn Program,
    paths: &[&Path],
    thin_air: bool,
    visit: &mut impl FnMut(&Execution),
) {
    let mut events = first_values(program);
    events.extend(paths.iter().flat_map(|path| &path.events));
    let size = events.len();
    assert!(size <= MOST, "{}: too many events", program.name());
    let mut sources: Vec<(usize, Vec<usize>)> = Vec::new();
    for (read, event) in events.iter().enumerate().filter(|(_, event)| event.kind == Kind::Read) {
        let is_source = |write: &usize| {
            let other = &events[*write];
            other.kind == Kind::Write && (other.location, other.value) == (event.location, event.value)
        };
        sources.push((read, (0..size).filter(is_source).collect()));
    }
    let sb = Relation::of(size, |a, b| match (events[a].thread, events[b].thread) {
        (None, Some(_)) => true,
        (a_thread, b_thread) => a_thread.is_some() && a_thread == b_thread && a < b,
    });
    let rmw = Relation::of(size, |a, b| events[b].part != Part::Own && a + 1 == b);
    let mut execution = Execution {
        sb,
        rf: Relation::none(size),
        mo: Relation::none(size),
        rmw,
        registers: paths.iter().map(|path| path.registers.clone()).collect(),
        memory: program.initial().to_vec(),
        events,
    };
    let mut source_of = vec![0; sources.len()];
    loop {
        execution.rf = Relation::none(size);
        for (chosen, (read, writes)) in source_of.iter().zip(&sources) {
            execution.rf.add(writes[*chosen], *read);
        }
        if thin_air || execution.sb.or(&execution.rf).is_acyclic() {
            let mut orders: Vec<Vec<usize>> = (0..program.initial().len()).map(|first| vec![first]).collect();
            order_writes(&mut execution, program.initial().len(), &mut orders, visit);
        }
        let Some(next) = (0..sources.len()).find(|read| source_of[*read] + 1 < sources[*read].1.len()) else {
            return;
        };
        source_of[next] += 1;
        source_of[..next].fill(0);
    }
}

/// Puts each write from `event` on at each place of its location's order, behind the first value.
fn order_writes(
    execution: &mut Execution,
    event: usize,
    orders: &mut Vec<Vec<usize>>,
    visit: &mut impl FnMut(&Execution),
) {
    let Some(write) = (event..execution.size()).find(|event| execution.events[*event].kind == Kind::Write)
    else {
        let mut mo = Relation::none(execution.size());
        for (location, order) in orders.iter().enumerate() {
            for (place, write) in order.iter().enumerate() {
                order[place + 1..].iter().for_each(|later| mo.add(*write, *later));
            }
            execution.memory[location] = execution.events[order[order.len() - 1]].value;
        }
        execution.mo = mo;
        visit(execution);
        return;
    };
    let location = execution.events[write].location;
    for place in 1..=orders[location].len() {
        orders[location].insert(place, write);
        order_writes(execution, write + 1, orders, visit);
        orders[location].remove(place);
    }
}
