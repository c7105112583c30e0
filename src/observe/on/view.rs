//! What others see of a thread: [`threads`].

use super::super::members::Member;
use super::call::Called;
use super::slots::{Entry, Slot, own_entries, own_process, slots};

/// Something that a thread holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holding {
    pub(crate) called: Called,
    /// When it began, in nanoseconds of [`nanos`](crate::facade::nanos); up to a tick of the clock earlier.
    pub(crate) since: u64,
    /// No other holding of the same thread has it.
    pub(crate) number: u64,
}

impl Holding {
    pub(super) fn of(entry: &Entry) -> Option<Self> {
        let (number, [a, b, c, d, e, since]) = entry.record.read()?;
        // SAFETY: they were published together.
        let called = unsafe { Called::from_words([a, b, c, d, e]) };
        Some(Self { called, since, number })
    }
}

/// What a thread waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    pub(crate) called: Called,
    pub(crate) since: u64,
    /// `None`: without limit.
    pub(crate) until: Option<u64>,
    /// No other wait of the same thread has it.
    pub(crate) number: u64,
}

/// A thread that waits for or holds something, or did.
#[derive(Clone, Debug)]
pub(crate) struct ThreadView {
    /// No other thread of this process has or had it.
    pub(crate) number: u64,
    pub(crate) name: Option<String>,
    /// Whether it has ended.
    pub(crate) gone: bool,
    pub(crate) wait: Option<Waiting>,
    pub(crate) holds: Vec<Holding>,
}

fn view(member: &Member<Slot>, process: u32) -> Option<ThreadView> {
    let slot = &member.value;
    let (number, [len, name @ ..]) = slot.thread.read()?;
    if !slot.is_of(process) {
        return None;
    }
    let bytes: Vec<u8> = name.iter().flat_map(|word| word.to_le_bytes()).take(len as usize).collect();
    let name = String::from_utf8_lossy(&bytes).into_owned();
    let wait = slot.wait.read().map(|(number, [a, b, c, d, e, since, until])| {
        // SAFETY: they were published together.
        let called = unsafe { Called::from_words([a, b, c, d, e]) };
        Waiting { called, since, until: (until != 0).then_some(until), number }
    });
    let holds: Vec<Holding> = slot.entries().filter_map(Holding::of).collect();
    let gone = member.is_left();
    // Still the same thread: what a later one publishes is seen after its number (record.publish).
    (slot.thread.number() == Some(number)).then_some(ThreadView {
        number,
        name: (!name.is_empty()).then_some(name),
        gone,
        wait,
        holds,
    })
}

/// Returns all threads of this process that have noted something.
pub(crate) fn threads() -> Vec<ThreadView> {
    let process = own_process();
    slots().filter_map(|member| view(member, process)).collect()
}

/// Returns an iterator over what the calling thread holds.
pub(crate) fn own_holds() -> impl Iterator<Item = Holding> + Clone {
    own_entries().filter_map(Holding::of)
}
