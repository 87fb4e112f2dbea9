//! Child processes that cannot outlive the tests, not even tests that are killed.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use super::request::poll;

/// Runs a program and ends it when our end of its standard input closes, which the kernel does for a test process
/// however it ends. Each line on standard input names a signal to send before that. The exit code is the program's. What
/// was killed is going to be started again, so its files are kept.
const LEASH: &str = r#"
exec 3<&0
"$@" </dev/null 3<&- &
child=$!
{
  while read -r signal; do kill "-$signal" "$child"; [ "$signal" != KILL ] || exit 0; done
  kill -TERM "$child"
  kill -CONT "$child"
} <&3 >/dev/null 2>&1 3<&- &
exec 3<&- </dev/null
wait "$child"
code=$?
[ -z "$REMOVED_AT_THE_END" ] || [ "$code" = 137 ] || rm -rf "$REMOVED_AT_THE_END"
exit "$code"
"#;

/// A process on a leash.
pub struct Process {
    child: Child,
    leash: Option<ChildStdin>,
    log: PathBuf,
}

impl Process {
    /// Starts `command`, with its stderr in `log`. `removed` is deleted when it has ended.
    pub fn start(command: &[&str], environment: &[(&str, &str)], log: &Path, removed: Option<&Path>) -> Self {
        let file = File::options().create(true).append(true).open(log).expect("the log can be written");
        let mut child = Command::new("sh")
            .args(["-c", LEASH, "leash"])
            .args(command)
            .envs(environment.iter().copied())
            .env("REMOVED_AT_THE_END", removed.map(Path::as_os_str).unwrap_or_default())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .expect("sh is there");
        let leash = child.stdin.take();
        Self { child, leash, log: log.to_owned() }
    }

    /// The first line on stdout. Panics when the process ends before or takes too long.
    pub fn first_line(&mut self, patience: Duration) -> String {
        let stdout = self.child.stdout.take().expect("asked once");
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(stdout);
            let mut line = String::new();
            let _ = reader.read_line(&mut line);
            let _ = sender.send(line.trim().to_owned());
            // A full pipe would stop the process.
            let _ = reader.read_to_end(&mut Vec::new());
        });
        let line = receiver.recv_timeout(patience).unwrap_or_default();
        assert!(!line.is_empty(), "no line on stdout within {patience:?}; stderr:\n{}", self.log());
        line
    }

    /// Everything on stderr so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends TERM and waits. The exit code, and how long it took.
    pub fn terminate(mut self) -> (Option<i32>, Duration) {
        self.leash = None;
        self.wait()
    }

    /// Sends KILL and waits.
    pub fn kill(mut self) {
        self.signal("KILL");
        self.wait();
    }

    /// Sends a signal by its name.
    pub fn signal(&mut self, name: &str) {
        let leash = self.leash.as_mut().expect("still running");
        leash.write_all(format!("{name}\n").as_bytes()).expect("the leash is held");
    }

    /// Waits until it ends by itself. The exit code; none when it goes on for too long.
    pub fn ended(&mut self) -> Option<i32> {
        poll(|| self.child.try_wait().expect("our child"))?.code()
    }

    #[expect(clippy::disallowed_methods, reason = "how long a real process takes to end is real time")]
    fn wait(&mut self) -> (Option<i32>, Duration) {
        let from = std::time::Instant::now();
        let status = self.child.wait().expect("our child");
        (status.code(), from.elapsed())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.leash = None;
        let _ = self.child.wait();
    }
}
