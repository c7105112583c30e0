//! The watch of this program's locks, if it is built with the feature `diagnose`.

/// Has deadlocks told on standard error from now on, by what the threads hold and wait for. Tellers wait with
/// a time-out, so to the watch their circle is a stall that will end; for that long it is one.
#[cfg(feature = "diagnose")]
pub(crate) fn watch() -> impl Sized {
    use lockwork::diagnose::{self, Report, Settings};
    use std::time::Duration;

    // So old is a circle that a time-out ends when it is told. That a teller waits is nothing to tell.
    let stall_after = Some(Duration::from_millis(20));
    let sink = Box::new(|report: &Report| {
        if let Report::Deadlock(_) = report {
            crate::complain(format_args!("the watch: {report}"));
        }
    });
    diagnose::start(Settings { stall_after, sink, ..Settings::default() })
}

#[cfg(not(feature = "diagnose"))]
pub(crate) fn watch() {}
