//! The demo's child processes: start, listen to, and never leave one behind.
//!
//! Each child has a task of its own that owns it. Stopping is in three steps, each of which is
//! enough: the child's stdin closes, and a child started with `--stop-on-stdin-close` ends itself
//! (this also happens when the demo dies without a word); after a grace time it is killed; and it
//! is waited for. Children have process groups of their own, so that Ctrl-C in a terminal reaches
//! the demo alone, which then stops them in order.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::codec::{FramedRead, LinesCodec};
use tokio_util::sync::CancellationToken;

use crate::error::{Context, Result};
use crate::report::Report;

/// How long a child may take to end itself.
const GRACE: Duration = Duration::from_secs(5);
/// Reports that wait for the demo; a child whose reports wait is slowed down.
const QUEUE: usize = 1024;
/// The longest line that is read.
const MAX_LINE_BYTES: usize = 1 << 20;

/// What a child did.
#[derive(Debug)]
pub enum Act {
    /// It reported something.
    Said(Report),
    /// It ended, unasked.
    Ended(ExitStatus),
}

/// The children that run.
#[derive(Debug)]
pub struct Children {
    program: PathBuf,
    logs: PathBuf,
    stop: CancellationToken,
    sender: mpsc::Sender<(Arc<str>, Act)>,
    acts: mpsc::Receiver<(Arc<str>, Act)>,
    tasks: Vec<JoinHandle<()>>,
}

impl Children {
    /// No children yet; they will run `program` and write their stderr to files in `logs`.
    pub fn new(program: PathBuf, logs: PathBuf) -> Self {
        let (sender, acts) = mpsc::channel(QUEUE);
        Self { program, logs, stop: CancellationToken::new(), sender, acts, tasks: Vec::new() }
    }

    /// The file that a child's stderr goes to.
    pub fn log(&self, name: &str) -> PathBuf {
        self.logs.join(format!("{name}.log"))
    }

    /// Starts a child and says that it did.
    ///
    /// # Errors
    /// If its log cannot be made or the program cannot be started.
    pub fn start(&mut self, name: &str, args: &[OsString]) -> Result<Report> {
        let path = self.log(name);
        let log = std::fs::File::create(&path)
            .or_argument(format!("cannot write the log {}", path.display()))?;
        let mut child = Command::new(&self.program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .or_user(format!("cannot start {name}"))?;
        let report = Report::Started {
            name: name.into(),
            pid: child.id().unwrap_or_default(),
            log: path.display().to_string(),
        };
        let stdin = child.stdin.take();
        let (sender, stop) = (self.sender.clone(), self.stop.clone());
        self.tasks.push(tokio::spawn(tend(name.into(), child, stdin, sender, stop)));
        Ok(report)
    }

    /// What a child did next, and its name.
    pub async fn next(&mut self) -> (Arc<str>, Act) {
        self.acts.recv().await.expect("this struct holds a sender of the same channel")
    }

    /// Stops all children and waits until they are gone.
    pub async fn stop(mut self) {
        self.stop.cancel();
        self.acts.close();
        for task in self.tasks {
            // A task that panicked dropped its child, which killed it.
            drop(task.await);
        }
    }
}

/// Listens to one child until it ends or all are to stop.
async fn tend(
    name: Arc<str>,
    mut child: Child,
    stdin: Option<ChildStdin>,
    sender: mpsc::Sender<(Arc<str>, Act)>,
    stop: CancellationToken,
) {
    let stdout = child.stdout.take().expect("stdout is piped and nobody took it before");
    let mut lines = FramedRead::new(stdout, LinesCodec::new_with_max_length(MAX_LINE_BYTES));
    loop {
        let line = tokio::select! {
            line = lines.next() => line,
            () = stop.cancelled() => break,
        };
        match line {
            Some(Ok(line)) => {
                let Some(report) = Report::parse(&line) else {
                    tracing::debug!(%name, line, "a line that is no report");
                    continue;
                };
                tokio::select! {
                    sent = sender.send((name.clone(), Act::Said(report))) => drop(sent),
                    () = stop.cancelled() => break,
                }
            }
            // The line was too long and is skipped.
            Some(Err(tokio_util::codec::LinesCodecError::MaxLineLengthExceeded)) => {}
            Some(Err(_)) | None => break,
        }
    }
    drop(stdin);
    // What it still says must not fill the pipe and keep it from ending.
    let drain = async { while lines.next().await.is_some_and(|line| line.is_ok()) {} };
    let ended = async { tokio::join!(child.wait(), drain).0 };
    let status = match tokio::time::timeout(GRACE, ended).await {
        Ok(status) => status,
        Err(_) => {
            tracing::warn!(%name, "did not end by itself and is killed");
            drop(child.start_kill());
            child.wait().await
        }
    };
    if let (Ok(status), false) = (status, stop.is_cancelled()) {
        drop(sender.send((name, Act::Ended(status))).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn children() -> (tempfile::TempDir, Children) {
        let logs = tempfile::tempdir().unwrap();
        let children = Children::new("/bin/sh".into(), logs.path().into());
        (logs, children)
    }

    fn script(text: &str) -> Vec<OsString> {
        vec!["-c".into(), text.into()]
    }

    #[tokio::test]
    async fn reports_come_through_and_other_lines_do_not() {
        let (_logs, mut children) = children();
        let line = r#"echo noise; echo '{"event":"warning","text":"w"}'; cat"#;
        children.start("one", &script(line)).unwrap();
        let (name, act) = children.next().await;
        assert_eq!(&*name, "one");
        assert!(matches!(act, Act::Said(Report::Warning { .. })), "{act:?}");
        children.stop().await;
    }

    #[tokio::test]
    async fn a_child_that_dies_is_noticed_with_its_status() {
        let (logs, mut children) = children();
        children.start("one", &script("echo lost >&2; exit 7")).unwrap();
        let (_, act) = children.next().await;
        assert!(matches!(act, Act::Ended(status) if status.code() == Some(7)), "{act:?}");
        let log = std::fs::read_to_string(logs.path().join("one.log")).unwrap();
        assert_eq!(log, "lost\n");
        children.stop().await;
    }

    #[tokio::test]
    async fn stopping_closes_stdin_and_waits_until_the_child_is_gone() {
        let (logs, mut children) = children();
        let done = logs.path().join("done");
        // `cat` ends with its stdin.
        let text = format!("echo '{{\"event\":\"warning\",\"text\":\"up\"}}'; cat; touch {done:?}");
        children.start("one", &script(&text)).unwrap();
        children.next().await;
        children.stop().await;
        assert!(done.exists(), "the child was killed before it could end itself");
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_an_error() {
        let logs = tempfile::tempdir().unwrap();
        let mut children = Children::new("/no/such/program".into(), logs.path().into());
        assert!(children.start("one", &[]).is_err());
        children.stop().await;
    }
}
