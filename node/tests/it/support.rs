//! Runs the binary in a folder of its own and keeps what it wrote.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A command that takes longer than this hangs.
const LIMIT: Duration = Duration::from_secs(180);
/// Where `cargo xtask test` says the other programs are.
const CLIENTS: &str = "IOTA_TEST_CLIENTS";

/// The folder of another program that tests compare with; none where it is not installed.
#[expect(clippy::print_stderr, reason = "a test that is skipped says why")]
pub(crate) fn client(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(CLIENTS).map(|folder| PathBuf::from(folder).join(name));
    let ready = folder.filter(|folder| folder.join("ready").exists());
    if ready.is_none() {
        eprintln!("skipped: {name} is not installed; `cargo xtask test` does that");
    }
    ready
}

/// A folder that is home and working directory of what runs in it.
pub(crate) struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The binary with these arguments, not yet started, without the caller's environment.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_iota"));
        command
            .args(args)
            .env_clear()
            .env("HOME", self.path())
            .current_dir(self.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the binary to its end.
    pub(crate) fn run(&self, line: &str) -> Transcript {
        self.finish(self.command(line.split_whitespace()), line)
    }

    /// Runs a prepared command to its end.
    pub(crate) fn finish(&self, mut command: Command, line: &str) -> Transcript {
        let mut child = command.spawn().unwrap();
        let stdout = collect(child.stdout.take());
        let stderr = collect(child.stderr.take());
        let code = wait(&mut child, line);
        let text = |bytes: JoinHandle<Vec<u8>>| {
            let text = String::from_utf8(bytes.join().unwrap()).unwrap();
            text.replace(&self.path().display().to_string(), "[HOME]")
        };
        Transcript { code, stdout: text(stdout), stderr: text(stderr) }
    }
}

/// What a command left.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Transcript {
    /// Its exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    /// What stood on stdout, with the home folder's path replaced.
    pub(crate) stdout: String,
    /// The same for stderr.
    pub(crate) stderr: String,
}

impl Transcript {
    /// Asserts an unusable argument: exit code 2, nothing on stdout, and these lines on stderr.
    #[track_caller]
    pub(crate) fn assert_refused(&self, stderr: &str) {
        let expected = Self { code: Some(2), stdout: String::new(), stderr: format!("{stderr}\n") };
        assert_eq!(*self, expected);
    }
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    let mut pipe = pipe.expect("the command was built with pipes");
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        bytes
    })
}

fn wait(child: &mut Child, line: &str) -> Option<i32> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if start.elapsed() > LIMIT {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("`iota {line}` did not end in {LIMIT:?}");
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
