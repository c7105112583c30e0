//! An example, run as a program: with a command line, signals, output and an exit code.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{env, fs, process};

use lockwork::{Event, Mutex};

use crate::built::path;
use crate::support::eventually;

/// After this a program is killed, and the thread that waits for it learns why. Less than the limit of a
/// test.
const LIMIT: Duration = Duration::from_secs(240);

/// A running program. Killed when it is dropped, and when it runs for too long.
pub(crate) struct Program {
    child: Arc<Mutex<Child>>,
    pid: u32,
    ended: Arc<Event>,
    outputs: [Output; 2],
}

/// What has come of an output so far, and the thread that reads it.
struct Output {
    text: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// `None` after a signal.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    fn of(mut output: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&text);
        let reader = thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(n @ 1..) = output.read(&mut chunk) {
                heard.lock().extend_from_slice(&chunk[..n]);
            }
        });
        Self { text, reader: Some(reader) }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.text.lock()).into_owned()
    }

    fn read_to_end(&mut self) -> String {
        self.reader.take().expect("read once").join().expect("it is read");
        self.so_far()
    }
}

impl Program {
    pub(crate) fn start(name: &'static str, arguments: &[&str]) -> Self {
        let mut command = Command::new(path(name));
        command.args(arguments);
        Self::start_command(name, command)
    }

    /// Starts it by a shell that runs `before`, such as a limit, and then becomes the program.
    pub(crate) fn start_after(before: &str, name: &'static str, arguments: &[&str]) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{before}; exec \"$@\""), "sh"]).arg(path(name)).args(arguments);
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
        let outputs = [
            Output::of(child.stdout.take().expect("piped")),
            Output::of(child.stderr.take().expect("piped")),
        ];
        let (pid, child, ended) = (child.id(), Arc::new(Mutex::new(child)), Arc::new(Event::new()));
        let (watched, over) = (Arc::clone(&child), Arc::clone(&ended));
        thread::spawn(move || {
            if !over.wait_for(LIMIT) {
                eprintln!("{name} runs for more than {LIMIT:?}, so it hangs: it is killed");
                let _ = watched.lock().kill();
            }
        });
        Self { child, pid, ended, outputs }
    }

    /// Sends a signal, as a terminal does. One that has ended does not mind.
    pub(crate) fn signal(&self, signal: &str) {
        let mut kill = Command::new("kill");
        kill.arg(format!("-{signal}")).arg(self.pid.to_string()).stderr(Stdio::null());
        kill.status().expect("kill runs");
    }

    /// Whether it has said something, on either output, so far.
    pub(crate) fn has_said(&self, what: &str) -> bool {
        self.outputs.iter().any(|output| output.so_far().contains(what))
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.child.lock().try_wait().expect("a child that can be waited for").is_some()
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn end(mut self) -> Ended {
        let mut status = None;
        // The lock is not held while waiting: the watchdog needs it.
        eventually(|| {
            status = self.child.lock().try_wait().expect("a child that can be waited for");
            status.is_some()
        });
        self.ended.set();
        let [stdout, stderr] = [0, 1].map(|n| self.outputs[n].read_to_end());
        Ended { code: status.expect("it has ended").code(), stdout, stderr }
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
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}stderr:\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn says(self, what: &str) -> Self {
        let said = self.stdout.contains(what) || self.stderr.contains(what);
        assert!(said, "{what:?} is not in stdout:\n{}stderr:\n{}", self.stdout, self.stderr);
        self
    }
}

/// A folder that no other test uses, and that goes with this.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Relaxed);
        let path = env::temp_dir().join(format!("lockwork-test-{}-{number}", process::id()));
        fs::create_dir_all(&path).expect("a temporary folder");
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a path in UTF-8").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
