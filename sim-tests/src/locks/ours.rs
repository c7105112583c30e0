//! lockwork, as the reference locks are.

use super::{Exclusive, Line, Meeting, Permits, Queue, Shared, Signal, Turns};

impl Exclusive for Line<lockwork::Mutex<()>> {
    const NAME: &str = "lockwork";

    fn new() -> Self {
        Self::default()
    }

    fn section(&self, body: impl FnOnce()) {
        let _guard = self.0.lock();
        body();
    }
}

impl Exclusive for Line<lockwork::ReentrantMutex<()>> {
    const NAME: &str = "lockwork, reentrant";

    fn new() -> Self {
        Self::default()
    }

    fn section(&self, body: impl FnOnce()) {
        let _guard = self.0.lock();
        body();
    }
}

impl Shared for Line<lockwork::RwLock<()>> {
    const NAME: &str = "lockwork";

    fn new() -> Self {
        Self::default()
    }

    fn read(&self, _: usize, body: impl FnOnce()) {
        let _guard = self.0.read();
        body();
    }

    fn write(&self, body: impl FnOnce()) {
        let _guard = self.0.write();
        body();
    }
}

impl Permits for Line<lockwork::Semaphore> {
    const NAME: &str = "lockwork";

    fn new(permits: u32) -> Self {
        Self(lockwork::Semaphore::new(permits as usize))
    }

    fn with_permit(&self, body: impl FnOnce()) {
        let _permit = self.0.acquire();
        body();
    }
}

impl Turns for Line<(lockwork::Mutex<u32>, Line<lockwork::Condvar>)> {
    const NAME: &str = "lockwork";

    fn new() -> Self {
        Self::default()
    }

    fn take(&self, own: u32, next: u32) {
        let (turn, changed) = &self.0;
        let mut turn = turn.lock();
        changed.0.wait_while(&mut turn, |turn| *turn != own);
        *turn = next;
        changed.0.notify_one();
    }

    fn wait(&self, turn: u32) {
        let (now, changed) = &self.0;
        changed.0.wait_while(&mut now.lock(), |now| *now < turn);
    }

    fn begin(&self, turn: u32) {
        let (now, changed) = &self.0;
        *now.lock() = turn;
        changed.0.notify_all();
    }
}

impl Meeting for Line<lockwork::Barrier> {
    const NAME: &str = "lockwork";

    fn new(parties: usize) -> Self {
        Self(lockwork::Barrier::new(parties))
    }

    fn meet(&self, _: usize) {
        self.0.wait();
    }
}

impl Signal for Line<lockwork::Event> {
    const NAME: &str = "lockwork";

    fn new() -> Self {
        Self::default()
    }

    fn wait(&self) {
        self.0.wait();
    }

    fn set(&self) {
        self.0.set();
    }
}

impl Signal for Line<lockwork::Latch> {
    const NAME: &str = "lockwork, latch";

    fn new() -> Self {
        Self(lockwork::Latch::new(1))
    }

    fn wait(&self) {
        self.0.wait();
    }

    fn set(&self) {
        self.0.count_down();
    }
}

impl Signal for Line<lockwork::Once> {
    const NAME: &str = "lockwork, once";

    fn new() -> Self {
        Self(lockwork::Once::new())
    }

    fn wait(&self) {
        self.0.wait();
    }

    fn set(&self) {
        self.0.call_once(|| ());
    }
}

impl Queue for Line<lockwork::BoundedBuffer<u64>> {
    const NAME: &str = "lockwork";

    fn new(capacity: usize) -> Self {
        Self(lockwork::BoundedBuffer::new(capacity))
    }

    fn put(&self, item: u64) {
        self.0.put(item).unwrap();
    }

    fn take(&self) -> u64 {
        self.0.get().unwrap()
    }

    fn put_many(&self, items: usize) {
        self.0.put_all(0..items as u64).unwrap();
    }

    fn take_many(&self, most: usize) -> usize {
        self.0.get_many(&mut Vec::with_capacity(most), most).unwrap()
    }
}
