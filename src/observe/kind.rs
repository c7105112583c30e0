//! What a call is: on which kind of object, and what it does with it.

/// The kind of an object that threads wait for or hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
#[repr(u8)]
pub enum Kind {
    /// A [`Mutex`](crate::Mutex), or one of [`poison`](crate::poison).
    Mutex,
    /// An [`RwLock`](crate::RwLock), or one of [`poison`](crate::poison).
    RwLock,
    /// A [`ReentrantMutex`](crate::ReentrantMutex).
    ReentrantMutex,
    /// A [`Semaphore`](crate::Semaphore).
    Semaphore,
    /// A [`Condvar`](crate::Condvar).
    Condvar,
    /// An [`Event`](crate::Event).
    Event,
    /// An [`AutoResetEvent`](crate::AutoResetEvent).
    AutoResetEvent,
    /// A [`Barrier`](crate::Barrier).
    Barrier,
    /// A [`Latch`](crate::Latch).
    Latch,
    /// A [`WaitGroup`](crate::WaitGroup).
    WaitGroup,
    /// A [`BoundedBuffer`](crate::BoundedBuffer).
    Buffer,
    /// A [`PriorityBuffer`](crate::PriorityBuffer).
    PriorityBuffer,
    /// A [`StackBuffer`](crate::StackBuffer).
    StackBuffer,
    /// A [`channel`](crate::channel).
    Channel,
    /// A [`Once`](crate::Once).
    Once,
    /// A [`OnceLock`](crate::OnceLock).
    OnceLock,
    /// A [`LazyLock`](crate::LazyLock).
    LazyLock,
    /// A [`StopToken`](crate::StopToken) or a callback of one.
    Stop,
    /// A task of a pool.
    Task,
    /// A worker, or another thread of this crate's own.
    Worker,
    /// A pool, all of whose tasks are waited for.
    Pool,
    /// Several at once, see [`wait_any`](crate::wait_any).
    Several,
}

impl Kind {
    pub(super) const ALL: [Self; 22] = [
        Self::Mutex,
        Self::RwLock,
        Self::ReentrantMutex,
        Self::Semaphore,
        Self::Condvar,
        Self::Event,
        Self::AutoResetEvent,
        Self::Barrier,
        Self::Latch,
        Self::WaitGroup,
        Self::Buffer,
        Self::PriorityBuffer,
        Self::StackBuffer,
        Self::Channel,
        Self::Once,
        Self::OnceLock,
        Self::LazyLock,
        Self::Stop,
        Self::Task,
        Self::Worker,
        Self::Pool,
        Self::Several,
    ];

    /// Returns whether it is a lock: what one thread holds keeps another waiting, until that thread unlocks.
    #[must_use]
    #[inline]
    pub const fn is_lock(self) -> bool {
        matches!(self, Self::Mutex | Self::RwLock | Self::ReentrantMutex)
    }

    /// Returns whether a wait in that mode ends by what one thread holds or runs. What ends the others is a
    /// signal, room or an item, which any thread may give.
    pub(crate) const fn has_holder(self, mode: Mode) -> bool {
        match self {
            Self::Mutex | Self::RwLock | Self::ReentrantMutex => true,
            Self::Task | Self::Worker => true,
            Self::Pool => matches!(mode, Mode::Join | Mode::Wait),
            Self::Once | Self::OnceLock | Self::LazyLock => true,
            Self::Stop => matches!(mode, Mode::Join),
            _ => false,
        }
    }

    /// Returns the kind of what makes a value once, by the public call: `OnceLock::wait`, say. Without the
    /// feature nothing is compared.
    #[inline(always)]
    pub(crate) fn of_once(call: &str) -> Self {
        match call {
            _ if !cfg!(feature = "diagnose") => Self::Once,
            _ if call.starts_with("OnceLock") => Self::OnceLock,
            _ if call.starts_with("LazyLock") => Self::LazyLock,
            _ => Self::Once,
        }
    }

    /// Returns the name by which a user calls it.
    pub(crate) fn call(self, mode: Mode) -> String {
        match (self, mode) {
            (Self::Several, Mode::Join) => "wait_all".to_owned(),
            (Self::Several | Self::Task, Mode::First) => "wait_first".to_owned(),
            (Self::Several | Self::Task, Mode::Get) => "AsCompleted::next".to_owned(),
            (Self::Several, _) | (_, Mode::Any) => "wait_any".to_owned(),
            (Self::RwLock, Mode::Upgrade) => "RwLockUpgradableReadGuard::upgrade".to_owned(),
            (Self::Pool, Mode::Put) => "ThreadPool::submit".to_owned(),
            (Self::Pool, Mode::Wait) => "ThreadPool::scope".to_owned(),
            (Self::Stop, Mode::Join) => "StopGuard::drop".to_owned(),
            (Self::Pool, Mode::Get) => "a pool's thread, for a task".to_owned(),
            (Self::Channel, Mode::Put) => "Sender::send".to_owned(),
            (Self::Channel, Mode::Get) => "Receiver::recv".to_owned(),
            (Self::OnceLock, Mode::Init) => "OnceLock::get_or_init".to_owned(),
            (Self::LazyLock, _) => "LazyLock::force".to_owned(),
            _ => format!("{}::{}", self.name(), mode.name()),
        }
    }

    /// Returns the name of its type.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mutex => "Mutex",
            Self::RwLock => "RwLock",
            Self::ReentrantMutex => "ReentrantMutex",
            Self::Semaphore => "Semaphore",
            Self::Condvar => "Condvar",
            Self::Event => "Event",
            Self::AutoResetEvent => "AutoResetEvent",
            Self::Barrier => "Barrier",
            Self::Latch => "Latch",
            Self::WaitGroup => "WaitGroup",
            Self::Buffer => "BoundedBuffer",
            Self::PriorityBuffer => "PriorityBuffer",
            Self::StackBuffer => "StackBuffer",
            Self::Channel => "channel",
            Self::Once => "Once",
            Self::OnceLock => "OnceLock",
            Self::LazyLock => "LazyLock",
            Self::Stop => "StopToken",
            Self::Task => "Task",
            Self::Worker => "Worker",
            Self::Pool => "ThreadPool",
            Self::Several => "wait_any",
        }
    }
}

/// What a call does, and how a thread that it lets in holds the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
#[repr(u8)]
pub enum Mode {
    /// Locks a mutex.
    Lock,
    /// Locks a reader-writer lock for reading.
    Read,
    /// Locks a reader-writer lock for reading, past writers that wait.
    ReadRecursive,
    /// Locks a reader-writer lock as its upgradable reader.
    Upgradable,
    /// Locks a reader-writer lock for writing.
    Write,
    /// Becomes the writer, as the upgradable reader.
    Upgrade,
    /// Takes permits.
    Permits,
    /// Waits for a signal or a meeting.
    Wait,
    /// Puts an item in.
    Put,
    /// Takes an item out.
    Get,
    /// Waits for the end of what was begun.
    Join,
    /// Waits for the first end of several.
    First,
    /// Waits for any of several.
    Any,
    /// Initialises, or waits for another thread that does.
    Init,
    /// Runs a task or a worker. Others wait for its end.
    Run,
}

impl Mode {
    pub(super) const ALL: [Self; 15] = [
        Self::Lock,
        Self::Read,
        Self::ReadRecursive,
        Self::Upgradable,
        Self::Write,
        Self::Upgrade,
        Self::Permits,
        Self::Wait,
        Self::Put,
        Self::Get,
        Self::Join,
        Self::First,
        Self::Any,
        Self::Init,
        Self::Run,
    ];

    /// Returns whether a thread that holds a lock in this mode keeps out all others.
    #[must_use]
    #[inline]
    pub const fn is_exclusive(self) -> bool {
        matches!(self, Self::Lock | Self::Write | Self::Upgrade)
    }

    /// Returns whether a thread that holds a lock in this mode keeps out one that wants it in the mode
    /// `wanted`.
    #[must_use]
    pub const fn excludes(self, wanted: Self) -> bool {
        match (self, wanted) {
            (Self::Read | Self::ReadRecursive, wanted) => wanted.is_exclusive(),
            (Self::Upgradable, wanted) => !matches!(wanted, Self::Read | Self::ReadRecursive),
            _ => true,
        }
    }

    /// Returns the name of the method by which a thread holds or waits in this mode.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lock => "lock",
            Self::Read => "read",
            Self::ReadRecursive => "read_recursive",
            Self::Upgradable => "upgradable_read",
            Self::Write => "write",
            Self::Upgrade => "upgrade",
            Self::Permits => "acquire",
            Self::Wait => "wait",
            Self::Put => "put",
            Self::Get => "get",
            Self::Join => "join",
            Self::First => "wait_first",
            Self::Any => "wait_any",
            Self::Init => "call_once",
            Self::Run => "run",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Mode};

    #[test]
    fn numbers_are_places() {
        assert!(Kind::ALL.iter().enumerate().all(|(place, &kind)| kind as usize == place));
        assert!(Mode::ALL.iter().enumerate().all(|(place, &mode)| mode as usize == place));
    }
}
