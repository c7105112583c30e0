//! The room: who is in it, and how a line reaches all of them without waiting for any.

use std::collections::BTreeMap;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use lockwork::{ArcSemaphorePermit, BoundedBuffer, Event, Mutex, TryPutError};

use crate::options::Slow;

/// What waits in an outbox.
pub(crate) struct Item {
    pub(crate) text: Arc<str>,
    /// Of a line on its way back to the one who said it. Given back when it is written, or thrown away.
    pub(crate) _echo: Option<ArcSemaphorePermit>,
}

/// One client, as the room sees it.
pub(crate) struct Member {
    pub(crate) outbox: BoundedBuffer<Item>,
    /// For waking up the threads that read and write it.
    pub(crate) stream: Arc<TcpStream>,
    /// Held while something is put into the outbox.
    behind: Mutex<Behind>,
    /// Set while the outbox is no more than half full, or no line needs to wait for it.
    easy: Event,
}

#[derive(Default)]
struct Behind {
    /// Lines that it has missed and was not told of. The notice stands where the lines would have been.
    missed: u64,
    /// A line has waited for it in vain. None does so again until it has caught up.
    hopeless: bool,
}

impl Member {
    pub(crate) fn new(stream: Arc<TcpStream>, outbox: usize) -> Self {
        let easy = Event::new();
        easy.set();
        Self { outbox: BoundedBuffer::new(outbox), stream, behind: Mutex::default(), easy }
    }

    fn is_half_full(&self) -> bool {
        self.outbox.len() * 2 > self.outbox.capacity()
    }

    /// Waits until its outbox is no more than half full. If it is not by `deadline`, it is not waited for
    /// again.
    fn wait_for(&self, deadline: Instant) {
        if !self.easy.wait_until(deadline) {
            self.behind.lock().hopeless = true;
        }
    }

    /// The writer has taken something.
    pub(crate) fn taken(&self) {
        // With the lock, lest a line that is put at this moment clears the event before this sets it.
        let mut behind = self.behind.lock();
        if !self.is_half_full() {
            self.easy.set();
        }
        if self.outbox.is_empty() {
            behind.hopeless = false;
        }
    }

    /// Says something to this client alone, if there is room.
    pub(crate) fn tell(&self, text: &str) {
        let item = Item { text: format!("{text}\n").into(), _echo: None };
        // Who does not read does not miss this either.
        let _ = self.outbox.try_put(item);
    }

    /// Nothing more will come. What is in the outbox is still written.
    pub(crate) fn close(&self) {
        self.outbox.close();
    }

    /// Ends it at once: what is in the outbox is thrown away, and the threads that read and write the
    /// socket are woken up.
    pub(crate) fn cut(&self) {
        drop(self.outbox.close_now());
        {
            // With the lock, as in `taken`.
            let _behind = self.behind.lock();
            self.easy.set();
        }
        // It may have been closed by the client.
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// The notice that is due when everything else is written.
    pub(crate) fn last_notice(&self) -> Option<String> {
        let mut behind = self.behind.lock();
        let due = behind.missed != 0 && self.outbox.is_empty();
        due.then(|| notice(std::mem::take(&mut behind.missed)))
    }
}

fn notice(missed: u64) -> String {
    format!("! you were too slow and missed {missed} lines\n")
}

/// Why a client cannot come in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    NameTaken,
    Closed,
}

#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) said: AtomicU64,
    pub(crate) dropped_clients: AtomicU64,
    pub(crate) dropped_lines: AtomicU64,
}

pub(crate) struct Room {
    members: Mutex<Option<BTreeMap<String, Arc<Member>>>>,
    slow: Slow,
    /// How long a line waits for those who fall behind.
    patience: Duration,
    pub(crate) counts: Counts,
}

impl Room {
    pub(crate) fn new(slow: Slow, patience: Duration) -> Self {
        Self { members: Mutex::new(Some(BTreeMap::new())), slow, patience, counts: Counts::default() }
    }

    /// Lets a client in, and tells all, the newcomer included: its first line.
    pub(crate) fn enter(&self, name: &str, member: &Arc<Member>) -> Result<(), Refused> {
        let mut members = self.members.lock();
        let members = members.as_mut().ok_or(Refused::Closed)?;
        if members.contains_key(name) {
            return Err(Refused::NameTaken);
        }
        members.insert(name.to_owned(), Arc::clone(member));
        self.spread(members, format!("* {name} is here\n"), None);
        Ok(())
    }

    /// Says a line to all, then waits for those who fall behind. `false` if `name` is not in the room
    /// any more.
    ///
    /// Without the wait one client that talks without a break would be too fast for others whose writers just
    /// do not have the processor. It is not for those who do not read: each of them is waited for once.
    pub(crate) fn say(&self, name: &str, line: &str, echo: ArcSemaphorePermit) -> bool {
        let mut guard = self.members.lock();
        let Some(members) = guard.as_mut().filter(|members| members.contains_key(name)) else {
            return false;
        };
        self.counts.said.fetch_add(1, Relaxed);
        let behind = self.spread(members, format!("<{name}> {line}\n"), Some((name, echo)));
        drop(guard);
        if !behind.is_empty() {
            let deadline = Instant::now() + self.patience;
            behind.iter().for_each(|member| member.wait_for(deadline));
        }
        true
    }

    /// Takes a client out, and tells the others. Does nothing if it was done before.
    pub(crate) fn leave(&self, name: &str) {
        let mut members = self.members.lock();
        if let Some(members) = members.as_mut() {
            if members.remove(name).is_some() {
                self.spread(members, format!("* {name} has left\n"), None);
            }
        }
    }

    pub(crate) fn who(&self) -> Vec<String> {
        let members = self.members.lock();
        members.as_ref().map(|members| members.keys().cloned().collect()).unwrap_or_default()
    }

    /// Lets no client in any more, tells all the last line, and closes the outboxes behind it.
    pub(crate) fn close(&self, last: &str) {
        let Some(mut members) = self.members.lock().take() else { return };
        self.spread(&mut members, format!("{last}\n"), None);
        members.values().for_each(|member| member.close());
    }

    /// Puts a line into each outbox, under the room's lock, and waits for none. Returns those who are falling
    /// behind.
    fn spread(
        &self,
        members: &mut BTreeMap<String, Arc<Member>>,
        text: String,
        mut from: Option<(&str, ArcSemaphorePermit)>,
    ) -> Vec<Arc<Member>> {
        let mut text: Arc<str> = text.into();
        loop {
            let mut falling = Vec::new();
            let mut slow = Vec::new();
            for (name, member) in members.iter() {
                let echo = from.take_if(|(speaker, _)| speaker == name).map(|(_, echo)| echo);
                let mut behind = member.behind.lock();
                if behind.missed != 0
                    && member.outbox.try_put(Item { text: notice(behind.missed).into(), _echo: None }).is_ok()
                {
                    behind.missed = 0;
                }
                // While it is behind with the notice it is behind with what follows.
                let item = Item { text: Arc::clone(&text), _echo: echo };
                let put = if behind.missed == 0 {
                    member.outbox.try_put(item)
                } else {
                    Err(TryPutError::Full(item))
                };
                match (put, self.slow) {
                    (Ok(()), _) => {}
                    (Err(TryPutError::Full(_)), Slow::DropLines) => {
                        behind.missed += 1;
                        self.counts.dropped_lines.fetch_add(1, Relaxed);
                    }
                    (Err(TryPutError::Full(_)), Slow::DropClient) => slow.push(name.clone()),
                    // It is leaving.
                    (Err(TryPutError::Closed(_)), _) => {}
                }
                if member.is_half_full() && !member.outbox.is_closed() {
                    member.easy.clear();
                    if !behind.hopeless {
                        falling.push(Arc::clone(member));
                    }
                }
            }
            // The others are told, which may be one line too many for the next.
            let Some(name) = slow.pop() else { return falling };
            let mut names = vec![name];
            names.append(&mut slow);
            for name in &names {
                if let Some(member) = members.remove(name) {
                    member.cut();
                    self.counts.dropped_clients.fetch_add(1, Relaxed);
                }
            }
            text = names
                .iter()
                .map(|name| format!("* {name} was too slow and is out\n"))
                .collect::<String>()
                .into();
        }
    }
}
