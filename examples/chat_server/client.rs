//! One client, from its connection to its end: the reader, which is the thread that is given the connection,
//! and the writer, which it starts.

use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{Event, Semaphore};

use crate::lines::{Lines, Next};
use crate::room::{Member, Refused};
use crate::server::{Server, count};

/// Lines that a client may have on the way to itself. While there are as many, it is not read.
const ECHOES: usize = 4;
/// Lines that a writer takes at once, twice before it writes them.
const BATCH: usize = 1024;
/// So many clients are a room in which lines are written as they come.
const FEW: u32 = 16;
/// How long a writer gathers lines otherwise, for each client there is: 20 ms where there are 500. No reader
/// notices it, and a demo of 500 clients, which took 17.8 s on two busy cores, takes 2.6 s.
const GATHER: Duration = Duration::from_micros(40);
const LONGEST_NAME: usize = 32;
/// What a client is told first.
const GREETING: &str =
    "* welcome; type your name, then what you want to say; /who tells who is here, /quit ends\n";
/// A writer needs little.
pub(crate) const STACK: usize = 256 * 1024;

/// Talks with a client until one of them has enough.
pub(crate) fn attend(server: &Server<'_>, number: u64, stream: &Arc<TcpStream>) -> io::Result<()> {
    // Lines are written in batches already; to hold them back for more would only delay them.
    stream.set_nodelay(true)?;
    // Only the grace period at the end limits a write: until then the outbox is what a slow client can
    // fill.
    let mut lines = Lines::new(stream, server.max_line);
    lines.set_deadline(Some(Instant::now() + server.name_timeout))?;
    // The first words on a connection, which has room for them.
    (&**stream).write_all(GREETING.as_bytes())?;
    let entered = ask_name(server, number, stream, &mut lines)?;
    let Some((name, member)) = entered else {
        let _ = stream.shutdown(Shutdown::Write);
        lines.set_deadline(Some(Instant::now() + server.grace))?;
        lines.discard();
        return Ok(());
    };
    count(&server.clients);

    let written = Event::new();
    thread::scope(|scope| {
        let writer = thread::Builder::new().name(format!("to {name}")).stack_size(STACK);
        let writer = writer.spawn_scoped(scope, || {
            write(server, &member);
            written.set();
        });
        if let Err(error) = writer {
            server.room.leave(&name);
            member.cut();
            return Err(error);
        }
        let result = lines.set_deadline(None).and_then(|()| listen(server, &name, &member, &mut lines));
        server.room.leave(&name);
        member.close();
        // What is left for it is written, and what it still says is thrown away; but not without limit.
        let end = Instant::now() + server.grace;
        if result.is_ok() && lines.set_deadline(Some(end)).is_ok() {
            lines.discard();
        }
        written.wait_until(end);
        member.cut();
        result
    })
}

/// Lets a client say its name until it is a good one. `None` if it will not come in.
fn ask_name(
    server: &Server<'_>,
    number: u64,
    socket: &Arc<TcpStream>,
    lines: &mut Lines<'_>,
) -> io::Result<Option<(String, Arc<Member>)>> {
    let mut stream = &**socket;
    loop {
        let name = match lines.next()? {
            Next::Line(name) => name.trim().to_owned(),
            Next::TooLong => {
                stream.write_all(b"! that line is too long\n")?;
                return Ok(None);
            }
            Next::Late => {
                stream.write_all(b"! you have not said your name\n")?;
                return Ok(None);
            }
            Next::End => return Ok(None),
        };
        let good = !name.is_empty()
            && name.len() <= LONGEST_NAME
            && name.chars().all(|char| char.is_alphanumeric() || char == '-' || char == '_');
        if !good {
            let text = format!("! a name has up to {LONGEST_NAME} letters, digits, - and _: say another\n");
            stream.write_all(text.as_bytes())?;
            continue;
        }
        let member = Arc::new(Member::new(Arc::clone(socket), server.outbox));
        // First this: who is in the room when it closes must not be cut off like one who is not.
        server.named(number, Some(&member));
        let entered = server.room.enter(&name, &member);
        if entered.is_err() {
            server.named(number, None);
        }
        match entered {
            Ok(()) => return Ok(Some((name, member))),
            Err(Refused::NameTaken) => {
                stream.write_all(format!("! there is a {name} already: say another\n").as_bytes())?;
            }
            Err(Refused::Closed) => {
                stream.write_all(b"! the server stops\n")?;
                return Ok(None);
            }
        }
    }
}

/// Does what a client says until it leaves.
fn listen(server: &Server<'_>, name: &str, member: &Member, lines: &mut Lines<'_>) -> io::Result<()> {
    let echoes = Arc::new(Semaphore::new(ECHOES));
    loop {
        let line = match lines.next()? {
            Next::Line(line) => line,
            Next::TooLong => {
                member.tell(&format!("! a line has up to {} bytes; good-bye", server.max_line));
                return Ok(());
            }
            Next::Late | Next::End => return Ok(()),
        };
        match line.trim() {
            "" => {}
            "/quit" => {
                member.tell("* good-bye");
                return Ok(());
            }
            "/who" => {
                let who = server.room.who();
                member.tell(&format!("* {} here: {}", who.len(), who.join(", ")));
            }
            command if command.starts_with('/') => {
                member.tell("! that is no command: there are /who and /quit");
            }
            line => {
                // Waits for its own writer, or for the end of it: whatever becomes of a line gives the permit
                // back.
                let echo = echoes.acquire_arc();
                if !server.room.say(name, line, echo) {
                    return Ok(());
                }
            }
        }
    }
}

/// Writes what is put into a client's outbox until that is closed and empty, or the client takes no more.
fn write(server: &Server<'_>, member: &Member) {
    let mut stream = &*member.stream;
    let mut batch = Vec::with_capacity(BATCH);
    let mut text = Vec::new();
    while member.outbox.get_many(&mut batch, BATCH).is_ok() {
        // In a full room lines come in hundreds, and a line by itself costs as much to write and to wake
        // up for as all of them together.
        let present = u32::try_from(server.places_taken()).unwrap_or(u32::MAX);
        if present > FEW {
            thread::sleep(GATHER.saturating_mul(present));
            // An outbox that is closed and empty ends the loop the next time.
            let _ = member.outbox.try_get_many(&mut batch, BATCH);
        }
        member.taken();
        text.clear();
        batch.iter().for_each(|item| text.extend_from_slice(item.text.as_bytes()));
        let written = stream.write_all(&text);
        if written.is_ok() {
            server.delivered(text.iter().filter(|byte| **byte == b'\n').count());
        }
        // This gives the permits of its own lines back.
        batch.clear();
        let notice = if written.is_ok() { member.last_notice() } else { None };
        if written.and_then(|()| stream.write_all(notice.unwrap_or_default().as_bytes())).is_err() {
            // It is gone, or takes nothing. The reader learns of it by the end of the connection.
            return member.cut();
        }
    }
    // It may be gone.
    let _ = stream.shutdown(Shutdown::Write);
}
