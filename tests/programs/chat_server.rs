//! The example `chat_server`, seen from outside: by clients that talk, leave, fall asleep, or misbehave.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use crate::program::{Ended, LIMIT, Program};
use crate::support::{cases, eventually, repeat, watchdog};

struct Server {
    program: Program,
    address: SocketAddr,
}

impl Server {
    #[track_caller]
    fn start(options: &[&str]) -> Self {
        let program = Program::start("chat_server", options);
        let line = program.line();
        let address = line.strip_prefix("listening on ").and_then(|address| address.parse().ok());
        let address = address.unwrap_or_else(|| panic!("not an address: {line}"));
        Self { program, address }
    }

    /// Interrupts it and waits for its end, which must be a good one.
    #[track_caller]
    fn stop(self) -> Ended {
        self.program.signal("INT");
        self.program.end().with_code(0)
    }
}

struct Client {
    from: BufReader<TcpStream>,
}

impl Client {
    #[track_caller]
    fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, LIMIT).expect("a connection");
        stream.set_read_timeout(Some(LIMIT)).expect("a time-out");
        stream.set_write_timeout(Some(LIMIT)).expect("a time-out");
        stream.set_nodelay(true).expect("no delay");
        Self { from: BufReader::new(stream) }
    }

    /// Connects, and has been told what to type.
    #[track_caller]
    fn welcomed(address: SocketAddr) -> Self {
        let mut client = Self::connect(address);
        client.expect(
            "* welcome; type your name, then what you want to say; /who tells who is here, /quit ends",
        );
        client
    }

    /// Connects, and has come in.
    #[track_caller]
    fn enter(address: SocketAddr, name: &str) -> Self {
        let mut client = Self::welcomed(address);
        client.say(name);
        client.expect(&format!("* {name} is here"));
        client
    }

    #[track_caller]
    fn say(&mut self, line: &str) {
        self.from.get_mut().write_all(format!("{line}\n").as_bytes()).expect("a server that listens");
    }

    /// The next line, or `None` at the end.
    #[track_caller]
    fn hear(&mut self) -> Option<String> {
        let mut line = String::new();
        if self.from.read_line(&mut line).expect("a line in time") == 0 {
            return None;
        }
        Some(line.strip_suffix('\n').unwrap_or_else(|| panic!("half a line: {line:?}")).to_owned())
    }

    #[track_caller]
    fn expect(&mut self, line: &str) {
        assert_eq!(self.hear().as_deref(), Some(line));
    }

    /// Listens until that line comes.
    #[track_caller]
    fn until(&mut self, line: &str) {
        while self.hear().unwrap_or_else(|| panic!("the end before {line:?}")) != line {}
    }

    /// The server has ended the connection and has said nothing more.
    #[track_caller]
    fn expect_end(&mut self) {
        assert_eq!(self.hear(), None);
    }
}

/// Lines of so many bytes: more than a system keeps for a client that does not read.
const LONG_LINES: usize = 2500;
const LONG: usize = 8000;

fn long_line(number: usize) -> String {
    format!("{number} {}", "x".repeat(LONG))
}

#[track_caller]
fn demo(clients: usize, lines: usize) {
    let (n, m) = (clients.to_string(), lines.to_string());
    let ended = Program::start("chat_server", &["--demo", &n, "--lines", &m]).end().with_code(0);
    let all = clients * clients * lines;
    ended.says(&format!("{all} of {all} reached their listeners, in the same order everywhere"));
    ended.says(&format!("{clients} clients, {} lines said", clients * lines));
    ended.says("0 clients dropped, 0 lines dropped, 0 refused");
}

#[test]
fn demo_with_two_hundred_clients_loses_nothing() {
    watchdog(|| demo(200, 3));
}

#[test]
fn demo_takes_any_number_of_clients() {
    watchdog(|| {
        for (clients, lines) in cases([(1, 1), (1, 50), (2, 30), (3, 0), (7, 20)]) {
            demo(clients, lines);
        }
    });
}

#[test]
fn two_hundred_clients_hear_everything_in_the_same_order() {
    const CLIENTS: usize = 200;
    watchdog(|| {
        let server = Server::start(&["--grace-ms", "30000"]);
        let mut clients: Vec<Client> = (0..CLIENTS).map(|_| Client::connect(server.address)).collect();
        for (number, client) in clients.iter_mut().enumerate() {
            client.say(&format!("guest-{number}"));
        }
        for (number, client) in clients.iter_mut().enumerate() {
            client.until(&format!("* guest-{number} is here"));
        }
        // All are in the room.
        for (number, client) in clients.iter_mut().enumerate() {
            client.say(&format!("line of {number}"));
        }
        let mut first: Option<Vec<String>> = None;
        for client in &mut clients {
            let mut heard = Vec::new();
            while heard.len() < CLIENTS {
                let line = client.hear().expect("a line");
                if line.starts_with('<') {
                    heard.push(line);
                }
            }
            assert_eq!(first.get_or_insert_with(|| heard.clone()), &heard, "another order");
        }
        let mut lines = first.expect("a client has heard something");
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines.len(), CLIENTS);

        // Some leave, some are gone, and the others see the end.
        let rest = clients.split_off(CLIENTS / 2);
        for (number, mut client) in clients.into_iter().enumerate() {
            if number % 2 == 0 {
                client.say("/quit");
                client.until("* good-bye");
            }
        }
        let program = server.program;
        program.signal("INT");
        for mut client in rest {
            client.until("* the server stops");
            client.expect_end();
        }
        let ended = program.end().with_code(0);
        ended.says("200 clients, 200 lines said");
        ended.says("0 clients dropped, 0 lines dropped, 0 refused");
    });
}

// --- slow clients
// --------------------------------------------------------------------------------------------------

#[test]
fn slow_client_is_dropped_and_stalls_no_other() {
    watchdog(|| {
        let server = Server::start(&["--outbox", "64", "--max-line", "10000"]);
        let mut slow = Client::enter(server.address, "slow");
        let mut listener = Client::enter(server.address, "listener");
        let mut speaker = Client::enter(server.address, "speaker");
        listener.expect("* speaker is here");
        let (mut said, mut out) = (0, 0);
        while out == 0 && said < LONG_LINES {
            speaker.say(&long_line(said));
            let line = format!("<speaker> {}", long_line(said));
            said += 1;
            for client in [&mut speaker, &mut listener] {
                // Each hears it before one line or another, whichever is sent next.
                let mut heard = client.hear().expect("a line");
                if heard == "* slow was too slow and is out" {
                    out += 1;
                    heard = client.hear().expect("a line");
                }
                assert_eq!(heard, line);
            }
        }
        assert!(said < LONG_LINES, "the slow client was never dropped");
        assert!(out == 2, "{out} have heard of it before the same line");
        // Its connection ends, after what the system had already taken for it.
        let mut rest = Vec::new();
        let _ = slow.from.read_to_end(&mut rest);
        speaker.say("gone?");
        listener.expect("<speaker> gone?");
        drop((speaker, listener));
        server.stop().says("1 clients dropped");
    });
}

#[test]
fn slow_client_misses_lines_and_is_told_how_many() {
    watchdog(|| {
        let server = Server::start(&["--outbox", "16", "--max-line", "10000", "--slow", "drop-lines"]);
        let mut slow = Client::enter(server.address, "slow");
        let mut speaker = Client::enter(server.address, "speaker");
        slow.expect("* speaker is here");
        for number in 0..LONG_LINES {
            speaker.say(&long_line(number));
            speaker.expect(&format!("<speaker> {}", long_line(number)));
        }
        // Every line has come, or was counted, and the count stands where the lines are missing.
        let (mut at, mut missed) = (0, 0);
        while at < LONG_LINES {
            let line = slow.hear().expect("a line");
            if let Some(rest) = line.strip_prefix("! you were too slow and missed ") {
                let lines: usize = rest.strip_suffix(" lines").and_then(|n| n.parse().ok()).expect("a count");
                at += lines;
                missed += lines;
            } else {
                assert!(line.starts_with(&format!("<speaker> {at} ")), "{} instead of {at}", &line[..20]);
                at += 1;
            }
        }
        assert_eq!(at, LONG_LINES);
        assert!(missed > 0, "{LONG_LINES} lines of {LONG} bytes are not enough to fill the system's buffers");
        // It is one of them again.
        speaker.say("back?");
        slow.expect("<speaker> back?");
        drop((slow, speaker));
        server.stop().says(&format!("0 clients dropped, {missed} lines dropped"));
    });
}

/// A client that talks without listening fills its own outbox, not that of others, and is not read meanwhile.
#[test]
fn flood_of_one_client_does_not_drop_the_others() {
    watchdog(|| {
        let server = Server::start(&["--outbox", "64", "--patience-ms", "200000"]);
        let mut listener = Client::enter(server.address, "listener");
        let flood = Client::enter(server.address, "flood");
        listener.expect("* flood is here");
        let (mut to, mut from) = (flood.from.get_ref().try_clone().expect("a clone"), flood.from);
        let lines = 20_000;
        let talker = std::thread::spawn(move || {
            let text: String = (0..lines).map(|number| format!("{number}\n")).collect();
            to.write_all(text.as_bytes()).expect("a server that listens");
            to.shutdown(Shutdown::Write).expect("it is open");
        });
        let reader = std::thread::spawn(move || {
            let mut all = String::new();
            from.read_to_string(&mut all).expect("everything, and the end");
            all.lines().count()
        });
        for number in 0..lines {
            listener.expect(&format!("<flood> {number}"));
        }
        listener.expect("* flood has left");
        talker.join().expect("the talker");
        // Its own lines all came back before the end.
        assert_eq!(reader.join().expect("the reader"), lines);
        drop(listener);
        server.stop().says("0 clients dropped");
    });
}

#[test]
fn stop_does_not_wait_indefinitely_for_a_slow_client() {
    watchdog(|| {
        let server = Server::start(&[
            "--outbox",
            "16",
            "--patience-ms",
            "10",
            "--max-line",
            "10000",
            "--slow",
            "drop-lines",
            "--grace-ms",
            "300",
            // Longer than all this takes, on any machine.
            "--name-timeout-ms",
            "3600000",
        ]);
        let _slow = Client::enter(server.address, "slow");
        let mut silent = Client::welcomed(server.address);
        let mut speaker = Client::enter(server.address, "speaker");
        for number in 0..LONG_LINES {
            speaker.say(&long_line(number));
            speaker.expect(&format!("<speaker> {}", long_line(number)));
        }
        let program = server.program;
        program.signal("TERM");
        speaker.expect("* the server stops");
        speaker.expect_end();
        silent.expect_end();
        program.end().with_code(0);
    });
}

// --- coming and leaving
// --------------------------------------------------------------------------------------------

#[test]
fn client_that_leaves_is_missed_and_may_come_back() {
    watchdog(|| {
        let server = Server::start(&[]);
        let mut stays = Client::enter(server.address, "stays");
        for how in ["quit", "half-close", "drop"] {
            let mut leaves = Client::enter(server.address, "leaves");
            stays.expect("* leaves is here");
            leaves.say("hello");
            stays.expect("<leaves> hello");
            match how {
                "quit" => {
                    leaves.say("/quit");
                    leaves.expect("<leaves> hello");
                    leaves.expect("* good-bye");
                    leaves.expect_end();
                }
                "half-close" => {
                    leaves.say("last words");
                    leaves.from.get_ref().shutdown(Shutdown::Write).expect("it is open");
                    stays.expect("<leaves> last words");
                    leaves.expect("<leaves> hello");
                    leaves.expect("<leaves> last words");
                    leaves.expect_end();
                }
                _ => drop(leaves),
            }
            stays.expect("* leaves has left");
        }
        drop(stays);
        server.stop().says("4 clients, 4 lines said");
    });
}

#[test]
fn name_must_be_a_good_one_and_free() {
    watchdog(|| {
        let server = Server::start(&["--max-line", "100"]);
        let mut anna = Client::enter(server.address, "Änna-1_");
        let mut other = Client::welcomed(server.address);
        for bad in ["", "   ", "two words", "<b>", "/quit", &"x".repeat(33)] {
            other.say(bad);
            assert!(other.hear().is_some_and(|line| line.starts_with("! a name has up to 32")), "{bad}");
        }
        other.say("Änna-1_");
        other.expect("! there is a Änna-1_ already: say another");
        // The newline of another system.
        other.say(" bert \r");
        other.expect("* bert is here");
        anna.expect("* bert is here");
        let mut long = Client::welcomed(server.address);
        long.say(&"x".repeat(101));
        long.expect("! that line is too long");
        long.expect_end();
        drop((anna, other, long));
        server.stop().says("2 clients, 0 lines said");
    });
}

#[test]
fn lines_are_what_was_said_and_commands_are_not() {
    watchdog(|| {
        let server = Server::start(&["--max-line", "40"]);
        let mut one = Client::enter(server.address, "one");
        let mut two = Client::enter(server.address, "two");
        one.expect("* two is here");
        two.say("/who");
        two.expect("* 2 here: one, two");
        two.say("/dance");
        two.expect("! that is no command: there are /who and /quit");
        // Nothing to say.
        two.say("");
        // In pieces, and several at once.
        for piece in ["Grüße ", "aus\tder\x1b[2J K", "üche\nzwei\r\ndrei\n"] {
            two.from.get_mut().write_all(piece.as_bytes()).expect("a server that listens");
        }
        // Not UTF-8.
        two.from.get_mut().write_all(b"\xFF!\n").expect("a server that listens");
        for client in [&mut one, &mut two] {
            client.expect("<two> Grüße aus\u{FFFD}der\u{FFFD}[2J Küche");
            client.expect("<two> zwei");
            client.expect("<two> drei");
            client.expect("<two> \u{FFFD}!");
        }
        // What would turn the rest of the line around, or end it, is shown and not done.
        for char in ['\u{202E}', '\u{2066}', '\u{200F}', '\u{61C}', '\u{2028}'] {
            two.say(&format!("a{char}b"));
            for client in [&mut one, &mut two] {
                client.until(&format!("<two> a\\u{{{:x}}}b", char as u32));
            }
        }
        two.say(&"y".repeat(40));
        one.expect(&format!("<two> {}", "y".repeat(40)));
        two.say(&"y".repeat(41));
        one.expect("* two has left");
        two.expect(&format!("<two> {}", "y".repeat(40)));
        two.expect("! a line has up to 40 bytes; good-bye");
        two.expect_end();
        drop(one);
        server.stop().says("2 clients, 10 lines said");
    });
}

#[test]
fn nameless_client_is_let_go() {
    watchdog(|| {
        let server = Server::start(&["--name-timeout-ms", "100", "--grace-ms", "200"]);
        let mut silent = Client::welcomed(server.address);
        silent.expect("! you have not said your name");
        silent.expect_end();
        drop(silent);
        server.stop().says("0 clients");
    });
}

#[test]
fn full_room_refuses_and_has_a_place_again() {
    watchdog(|| {
        let server = Server::start(&["--max-clients", "2"]);
        let mut one = Client::enter(server.address, "one");
        let two = Client::enter(server.address, "two");
        one.expect("* two is here");
        let mut three = Client::connect(server.address);
        three.expect("! the room is full, come back later");
        three.expect_end();
        drop(two);
        one.expect("* two has left");
        // Its place is free when its threads are gone, a moment later.
        loop {
            let mut again = Client::connect(server.address);
            // A refused client may find the connection reset.
            let said = again.from.get_mut().write_all(b"again\n").is_ok();
            let mut lines = String::new();
            let mut hear = || again.from.read_line(&mut lines).is_ok();
            if said && hear() && hear() && lines.ends_with("* again is here\n") {
                break;
            }
        }
        drop(one);
        server.stop().says("3 clients");
    });
}

#[test]
fn wrong_command_line_is_refused_with_its_reason() {
    watchdog(|| {
        for (options, reason) in [
            (&["--port", "70000"][..], "--port"),
            (&["--outbox", "0"], "--outbox"),
            (&["--slow", "wait"], "--slow"),
            (&["--demo", "0"], "--demo"),
            (&["--unknown"], "--unknown"),
        ] {
            let ended = Program::start("chat_server", options).end().with_code(2);
            assert!(ended.stderr.contains(reason), "{options:?}: {}", ended.stderr);
        }
        let help = Program::start("chat_server", &["--help"]).end().with_code(0);
        help.says("--slow");
        help.says("Example");
        Program::start("chat_server", &["--version"]).end().with_code(0).says("chat_server 0.");
        let server = Server::start(&[]);
        let port = server.address.port().to_string();
        let ended = Program::start("chat_server", &["--port", &port]).end().with_code(1);
        assert!(ended.stderr.contains("cannot listen on 127.0.0.1"), "{}", ended.stderr);
        server.stop();
    });
}

// --- the demo
// ------------------------------------------------------------------------------------------------------

#[test]
fn interrupted_demo_ends_with_true_figures() {
    watchdog(|| {
        let demo = Program::start("chat_server", &["--demo", "20", "--lines", "100000"]);
        // Its progress is told.
        eventually(|| demo.has_complained(" of 40000000 lines have reached their listeners"));
        demo.signal("INT");
        let ended = demo.end().with_code(130);
        ended.says("of 40000000 reached their listeners before it was interrupted");
        ended.says("0 clients dropped");
        assert!(!ended.stderr.contains("client "), "{}", ended.stderr);
        let figure = |end: &str| -> u64 {
            let before = ended.stdout.split(end).next().unwrap_or_default();
            before.rsplit([' ', '\n']).next().unwrap_or_default().parse().expect("a number")
        };
        // What the clients have heard was delivered, and was said.
        let (said, delivered) = (figure(" lines said"), figure(" delivered"));
        let heard = figure(" of 40000000");
        assert!(0 < heard && heard <= delivered && heard <= 20 * said, "{}", ended.stdout);
    });
}

/// Also while they are coming in: those that no thread has let in yet must not wait for an answer.
#[test]
fn demo_that_is_interrupted_at_its_start_ends_soon() {
    watchdog(|| {
        for _ in repeat(5) {
            let demo = Program::start("chat_server", &["--demo", "200"]);
            demo.line();
            demo.signal("INT");
            let ended = demo.end();
            let seconds =
                ended.stdout.trim_end().rsplit(' ').nth(1).and_then(|word| word.parse::<f64>().ok());
            // A client's patience is 30 seconds.
            assert!(seconds.is_some_and(|seconds| seconds < 25.0), "{}", ended.stdout);
        }
    });
}

/// One line at the start, not one for each client that cannot come in.
#[cfg(target_os = "linux")]
#[test]
fn too_few_open_files_are_told_at_the_start() {
    watchdog(|| {
        let demo = Program::start_after("ulimit -n 50", "chat_server", &["--demo", "100"]);
        let ended = demo.end().with_code(1);
        ended.complains("this takes 216 open files, and 50 are allowed (ulimit -n)");
        assert_eq!((ended.stderr.lines().count(), &*ended.stdout), (1, ""), "{}", ended.stderr);
        // One that may be raised is.
        let demo = Program::start_after("ulimit -Sn 50", "chat_server", &["--demo", "100", "--lines", "1"]);
        demo.end().with_code(0);
        // A server does what it can.
        let server = Program::start_after("ulimit -n 50", "chat_server", &[]);
        let line = server.line();
        let address = line.strip_prefix("listening on ").and_then(|address| address.parse().ok());
        drop(Client::enter(address.expect("an address"), "one"));
        server.signal("INT");
        server.end().with_code(0).complains("fewer clients than --max-clients will come in");
    });
}

/// A report that no reader gets is a failure.
#[cfg(target_os = "linux")]
#[test]
fn report_that_cannot_be_written_is_a_failure() {
    watchdog(|| {
        let demo = Program::start_after("exec >/dev/full", "chat_server", &["--demo", "2"]);
        demo.end().with_code(1).complains("chat_server: cannot write to standard output");
    });
}
