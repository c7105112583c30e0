//! The server: lets clients in, and ends in order.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Write};
use std::mem;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::{self, Scope};
use std::time::Duration;

use lockwork::{Condvar, Event, Mutex, Semaphore};

use crate::client;
use crate::complain;
use crate::options::Options;
use crate::room::{Member, Room};

/// How long to wait after an attempt that the system had nothing left for.
const RETRY: Duration = Duration::from_millis(50);

pub(crate) struct Server<'a> {
    pub(crate) room: Room,
    pub(crate) outbox: usize,
    pub(crate) max_line: usize,
    pub(crate) name_timeout: Duration,
    pub(crate) grace: Duration,
    pub(crate) clients: AtomicU64,
    places: Arc<Semaphore>,
    max_clients: usize,
    stop: &'a Event,
    acceptor_gone: Event,
    /// Every connection by its number, also those that have not said their name.
    connections: Mutex<BTreeMap<u64, Connection>>,
    /// Told when a connection is gone.
    fewer: Condvar,
    delivered: AtomicU64,
    refused: AtomicU64,
}

struct Connection {
    stream: Arc<TcpStream>,
    member: Option<Arc<Member>>,
}

/// What has happened.
pub(crate) struct Counts {
    pub(crate) clients: u64,
    pub(crate) said: u64,
    pub(crate) delivered: u64,
    pub(crate) dropped_clients: u64,
    pub(crate) dropped_lines: u64,
    pub(crate) refused: u64,
}

impl<'a> Server<'a> {
    pub(crate) fn new(options: &Options, stop: &'a Event) -> Self {
        Self {
            room: Room::new(options.slow, options.patience()),
            outbox: options.outbox(),
            max_line: options.max_line,
            name_timeout: options.name_timeout(),
            grace: options.grace(),
            clients: AtomicU64::new(0),
            places: Arc::new(Semaphore::new(options.max_clients())),
            max_clients: options.max_clients(),
            stop,
            acceptor_gone: Event::new(),
            connections: Mutex::new(BTreeMap::new()),
            fewer: Condvar::new(),
            delivered: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// Serves until the stop, and ends:
    ///
    /// 1. The acceptor. It sleeps in `accept`, where no event reaches it, so a connection of our own wakes it
    ///    up.
    /// 2. The room: each client gets a last line, and the outboxes are closed behind it. Writers write what
    ///    is in them, then end their side of the connection, and clients end theirs.
    /// 3. After the grace period, those who have not.
    pub(crate) fn serve(&self, listener: TcpListener, address: SocketAddr) -> io::Result<()> {
        thread::scope(|scope| {
            let acceptor = thread::Builder::new().name("acceptor".into()).spawn_scoped(scope, move || {
                self.accept(scope, &listener);
                // Clients that are still in the backlog would wait for an answer until the process ends.
                drop(listener);
                self.acceptor_gone.set();
            })?;
            self.stop.wait();
            while !self.acceptor_gone.is_set() && TcpStream::connect_timeout(&address, RETRY).is_err() {
                self.acceptor_gone.wait_for(RETRY);
            }
            if acceptor.join().is_err() {
                complain(format_args!("the acceptor panicked"));
            }
            self.room.close("* the server stops");
            let mut connections = self.connections.lock();
            // Nothing is owed to those who have not come in.
            for connection in connections.values().filter(|connection| connection.member.is_none()) {
                let _ = connection.stream.shutdown(Shutdown::Both);
            }
            let late = self.fewer.wait_while_for(&mut connections, |left| !left.is_empty(), self.grace);
            if late.timed_out() {
                for connection in connections.values() {
                    match &connection.member {
                        Some(member) => member.cut(),
                        None => drop(connection.stream.shutdown(Shutdown::Both)),
                    }
                }
            }
            Ok(())
        })
    }

    fn accept<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>, listener: &TcpListener) {
        // Once is enough.
        let mut complained = false;
        for number in 0.. {
            let stream = loop {
                match listener.accept() {
                    _ if self.stop.is_set() => return,
                    Ok((stream, _)) => break Arc::new(stream),
                    // The client was gone before it was let in.
                    Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                    // No file descriptor left, most likely, until a client leaves.
                    Err(error) => {
                        if !mem::replace(&mut complained, true) {
                            complain(format_args!("cannot let a client in: {error}"));
                        }
                        self.stop.wait_for(RETRY);
                    }
                }
            };
            let Some(place) = self.places.try_acquire_arc() else {
                self.refuse(&stream);
                continue;
            };
            let connection = Connection { stream: Arc::clone(&stream), member: None };
            self.connections.lock().insert(number, connection);
            let thread = thread::Builder::new().name(format!("client {number}")).stack_size(client::STACK);
            let served = Arc::clone(&stream);
            let started = thread.spawn_scoped(scope, move || {
                let _gone = Gone { server: self, number };
                let _place = place;
                // A connection that breaks is what connections do.
                let _ = client::attend(self, number, &served);
            });
            if started.is_err() {
                drop(Gone { server: self, number });
                self.refuse(&stream);
            }
        }
    }

    fn refuse(&self, mut stream: &TcpStream) {
        count(&self.refused);
        // Nothing was sent on it yet, so this does not wait; and it may be gone.
        let _ = stream.write_all(b"! the room is full, come back later\n");
    }

    /// A connection comes into the room, or could not.
    pub(crate) fn named(&self, number: u64, member: Option<&Arc<Member>>) {
        if let Some(connection) = self.connections.lock().get_mut(&number) {
            connection.member = member.cloned();
        }
    }

    /// How many clients there are, also those without a name.
    pub(crate) fn places_taken(&self) -> usize {
        self.max_clients.saturating_sub(self.places.available_permits())
    }

    pub(crate) fn delivered(&self, lines: usize) {
        self.delivered.fetch_add(lines as u64, Relaxed);
    }

    pub(crate) fn counts(&self) -> Counts {
        let seen = |count: &AtomicU64| count.load(Relaxed);
        Counts {
            clients: seen(&self.clients),
            said: seen(&self.room.counts.said),
            delivered: seen(&self.delivered),
            dropped_clients: seen(&self.room.counts.dropped_clients),
            dropped_lines: seen(&self.room.counts.dropped_lines),
            refused: seen(&self.refused),
        }
    }
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

/// Takes a connection off the list, however its thread ends.
struct Gone<'a, 'b> {
    server: &'a Server<'b>,
    number: u64,
}

impl Drop for Gone<'_, '_> {
    fn drop(&mut self) {
        self.server.connections.lock().remove(&self.number);
        self.server.fewer.notify_all();
    }
}
