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

/// After this a program is killed, and the thread that waits for it learns why. Less than the limit of a
/// test.
pub(crate) const LIMIT: Duration = Duration::from_secs(240);

/// A running example. Killed when it is dropped, and when it runs for too long.
pub(crate) struct Program {
    #[cfg_attr(not(feature = "diagnose"), allow(dead_code, reason = "asked about reports"))]
    name: &'static str,
    child: Arc<Mutex<Child>>,
    pid: u32,
    ended: Arc<Event>,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<()>>,
    /// What has come of standard error so far.
    complaints: Arc<Mutex<Vec<u8>>>,
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
        let mut command = Command::new(path(name));
        command.args(options);
        Self::start_command(name, command)
    }

    /// Starts it by a shell that runs `before`, such as a limit, and then becomes the program.
    pub(crate) fn start_after(before: &str, name: &'static str, options: &[&str]) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{before}; exec \"$@\""), "sh"]).arg(path(name)).args(options);
        Self::start_command(name, shell)
    }

    /// Starts it by a command that ends in it.
    pub(crate) fn start_command(name: &'static str, mut command: Command) -> Self {
        let mut child = command
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
                // The receiver is gone once the test has heard what it wanted.
                let _ = send.send(line);
            }
            all
        });
        let complaints = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&complaints);
        let stderr = thread::spawn(move || {
            let (mut stderr, mut chunk) = (stderr, [0; 4096]);
            while let Ok(n @ 1..) = stderr.read(&mut chunk) {
                heard.lock().extend_from_slice(&chunk[..n]);
            }
        });
        let (pid, child, ended) = (child.id(), Arc::new(Mutex::new(child)), Arc::new(Event::new()));
        let (watched, over) = (Arc::clone(&child), Arc::clone(&ended));
        thread::spawn(move || {
            if !over.wait_for(LIMIT) {
                eprintln!("{name} runs for more than {LIMIT:?}, so it hangs: it is killed");
                let _ = watched.lock().kill();
            }
        });
        Self { name, child, pid, ended, stdout: Some(stdout), stderr: Some(stderr), complaints, lines }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
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

    pub(crate) fn has_complained(&self, part: &str) -> bool {
        String::from_utf8_lossy(&self.complaints.lock()).contains(part)
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn end(mut self) -> Ended {
        // Its outputs end with it; the watchdog ends it if nothing else does.
        let stdout = self.stdout.take().expect("read once").join().expect("it is read");
        self.stderr.take().expect("read once").join().expect("it is read");
        let stderr = String::from_utf8_lossy(&self.complaints.lock()).into_owned();
        let mut status = None;
        // The lock is not held while waiting: the watchdog needs it.
        eventually(|| {
            status = self.child.lock().try_wait().expect("a child that can be waited for");
            status.is_some()
        });
        self.ended.set();
        #[cfg(feature = "diagnose")]
        if self.name != "watched" {
            crate::watched::assert_no_report(&stderr);
        }
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
    pub(crate) fn complains(&self, part: &str) {
        assert!(self.stderr.contains(part), "{part:?} is not in\n{}\nstdout:\n{}", self.stderr, self.stdout);
    }

    #[track_caller]
    pub(crate) fn says(&self, part: &str) {
        assert!(self.stdout.contains(part), "{part:?} is not in\n{}\nstderr:\n{}", self.stdout, self.stderr);
    }
}
