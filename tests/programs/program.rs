//! An example as a process: started, read, signalled, and never left behind.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use lockwork::{Event, Mutex};

use crate::built::path;
use crate::support::eventually;

/// After this a program is killed, and whoever waits for it learns why. Less than the limit of a test.
pub(crate) const LIMIT: Duration = Duration::from_secs(240);

/// A running example. Killed when it is dropped, and when it runs for too long.
pub(crate) struct Program {
    child: Arc<Mutex<Child>>,
    pid: u32,
    ended: Arc<Event>,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
    lines: mpsc::Receiver<String>,
}

/// How it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Program {
    pub(crate) fn start(name: &'static str, options: &[&str]) -> Self {
        let mut child = Command::new(path(name))
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the example starts");
        let (stdout, stderr) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
        let (send, lines) = mpsc::channel();
        let stdout = thread::spawn(move || {
            let mut all = String::new();
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                all.push_str(&line);
                all.push('\n');
                // Nobody listens any more once they have heard what they wanted.
                let _ = send.send(line);
            }
            all
        });
        let stderr = thread::spawn(move || {
            let mut all = Vec::new();
            let _ = BufReader::new(stderr).read_to_end(&mut all);
            String::from_utf8_lossy(&all).into_owned()
        });
        let (pid, child, ended) = (child.id(), Arc::new(Mutex::new(child)), Arc::new(Event::new()));
        let (watched, over) = (Arc::clone(&child), Arc::clone(&ended));
        thread::spawn(move || {
            if !over.wait_for(LIMIT) {
                eprintln!("{name} runs for more than {LIMIT:?}, so it hangs: it is killed");
                let _ = watched.lock().kill();
            }
        });
        Self { child, pid, ended, stdout: Some(stdout), stderr: Some(stderr), lines }
    }

    /// The next line that it says.
    #[track_caller]
    pub(crate) fn line(&self) -> String {
        self.lines.recv_timeout(LIMIT).expect("a program that says something")
    }

    /// Sends a signal, as a terminal or a service manager does.
    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill").arg(format!("-{signal}")).arg(self.pid.to_string()).status();
        assert!(status.expect("kill runs").success());
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn end(mut self) -> Ended {
        // Its outputs end with it; the watchdog ends it if nothing else does.
        let read =
            |output: Option<JoinHandle<String>>| output.expect("read once").join().expect("it is read");
        let (stdout, stderr) = (read(self.stdout.take()), read(self.stderr.take()));
        let mut status = None;
        // The lock is not held while waiting: the watchdog needs it.
        eventually(|| {
            status = self.child.lock().try_wait().expect("a child that can be waited for");
            status.is_some()
        });
        self.ended.set();
        let status = status.expect("it has ended");
        Ended { status, stdout, stderr }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.ended.set();
        // If it has ended already, there is nothing to kill.
        let mut child = self.child.lock();
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Ended {
    #[track_caller]
    pub(crate) fn with_code(self, code: i32) -> Self {
        let Self { status, stdout, stderr } = &self;
        assert_eq!(status.code(), Some(code), "{status}, stdout:\n{stdout}stderr:\n{stderr}");
        self
    }

    #[track_caller]
    pub(crate) fn says(&self, part: &str) {
        assert!(self.stdout.contains(part), "{part:?} is not in\n{}\nstderr:\n{}", self.stdout, self.stderr);
    }
}
