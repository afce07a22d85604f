//! A development chain in its own process, and commands on it.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::Value;

use crate::support::{Home, Transcript};

/// Names the chain to the commands, as to btcli.
const ENDPOINT: &str = "BT_SUBTENSOR_CHAIN_ENDPOINT";

/// A chain that ends with the test.
pub(crate) struct Chain {
    pub(crate) home: Home,
    pub(crate) url: String,
    child: Child,
    /// The chain ends when this closes.
    _stdin: ChildStdin,
}

impl Chain {
    /// A chain that makes a block for each extrinsic.
    pub(crate) fn start(flags: &str) -> Self {
        Self::started(&format!("--instant {flags}"))
    }

    /// A chain that makes blocks as the flags say.
    pub(crate) fn started(flags: &str) -> Self {
        let home = Home::new();
        let line = "localnet start --port 0 --json --stop-on-stdin-close";
        let mut command = home.command(line.split(' ').chain(flags.split_whitespace()));
        let mut child = command.stdin(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let listening: Value = serde_json::from_str(&first).unwrap();
        let url = listening["url"].as_str().unwrap().to_owned();
        let stdin = child.stdin.take().unwrap();
        Self { home, url, child, _stdin: stdin }
    }

    /// Ends it without a warning.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Runs a command on the chain.
    pub(crate) fn run(&self, line: &str) -> Transcript {
        let mut command = self.home.command(line.split_whitespace());
        command.env(ENDPOINT, &self.url);
        self.home.finish(command, line)
    }

    /// As [`Self::run`], of a command that succeeds; what it printed.
    #[track_caller]
    pub(crate) fn ok(&self, line: &str) -> String {
        let ran = self.run(line);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{line}: {ran:?}");
        ran.stdout
    }

    /// Starts a command that goes on, and reads what it prints.
    pub(crate) fn follow(&self, line: &str) -> Following {
        let mut command = self.home.command(line.split_whitespace());
        command.env(ENDPOINT, &self.url).stderr(Stdio::inherit());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Following { child, lines }
    }

    /// The object that a command prints.
    #[track_caller]
    pub(crate) fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.ok(&format!("{line} --json"))).unwrap()
    }
}

/// A command that goes on until the test ends.
pub(crate) struct Following {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Following {
    /// The next object that it prints.
    pub(crate) fn next(&mut self) -> Value {
        serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        // It may have ended with its stdin.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
