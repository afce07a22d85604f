//! Transcripts: help, and what bad input leads to.

use std::net::TcpListener;

use crate::support::Home;

/// The commands whose help is part of the interface.
const COMMANDS: [&str; 39] = [
    "",
    "demo",
    "localnet",
    "localnet start",
    "localnet warp",
    "localnet set-storage",
    "localnet pulse",
    "localnet faults",
    "localnet scaffold",
    "miner",
    "validator",
    "stage plan",
    "bench bottleneck",
    "data build",
    "data fetch",
    "tokenizer train",
    "eval",
    "generate",
    "export",
    "chain check",
    "metagraph",
    "history",
    "wallet new",
    "wallet regen",
    "wallet sign",
    "wallet verify",
    "wallet transfer",
    "register",
    "stake add",
    "stake remove",
    "stake move",
    "child set",
    "child take",
    "subnet set",
    "weights set",
    "axon set",
    "commitment set",
    "commitment list",
    "run init",
];

#[test]
fn help_is_as_written_down() {
    let home = Home::new();
    let mut text = String::new();
    for command in COMMANDS {
        let ran = home.run(&format!("{command} --help"));
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{command}");
        // clap pads blank lines.
        let lines: Vec<&str> = ran.stdout.lines().map(str::trim_end).collect();
        text.push_str(&format!("$ iota {command} --help\n{}\n\n", lines.join("\n")));
    }
    // Tests run in their package's folder.
    let path = "tests/it/help.txt";
    if std::env::var_os("UPDATE_HELP").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(text == written, "help changed; run with UPDATE_HELP=1 and read the difference");
}

#[test]
fn without_a_command_the_help_is_shown() {
    let ran = Home::new().run("");
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("Usage: iota"), "{ran:?}");
}

#[test]
fn data_that_cannot_be_read() {
    Home::new().run("demo --data no/such/text").assert_refused(
        "error: cannot read `--data no/such/text`: No such file or directory (os error 2)\n\
         hint: name a text file, a folder of them, or what `iota data build` wrote",
    );
}

#[test]
fn more_stages_than_miners() {
    Home::new().run("demo --miners 2 --stages 3").assert_refused(
        "error: 2 miners cannot serve 3 stages: each stage needs at least one\n\
         hint: pass `--miners 3` or more, or fewer `--stages`",
    );
}

#[test]
fn a_folder_to_keep_that_is_not_empty() {
    let home = Home::new();
    std::fs::write(home.path().join("precious"), "x").unwrap();
    home.run("demo --keep .").assert_refused(
        "error: `--keep .` is not empty\n\
         hint: name a new folder, or remove what is in it",
    );
}

#[test]
fn a_port_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    Home::new().run(&format!("localnet --port {port}")).assert_refused(&format!(
        "error: cannot start a chain: address 127.0.0.1:{port} is already in use\n\
         hint: another program uses the port; pass another `--port`, or 0 for a free one"
    ));
}

#[test]
fn a_chain_that_does_not_answer() {
    // Bound and closed again, so that nobody listens there.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let ran = Home::new().run(&format!("metagraph --chain ws://127.0.0.1:{port}"));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{ran:?}");
    assert!(
        lines[0].starts_with(&format!("error: cannot connect to ws://127.0.0.1:{port}")),
        "{ran:?}"
    );
    assert_eq!(lines[1], "hint: check `--chain`, and that the node is running", "{ran:?}");
}

#[test]
fn a_chain_that_accepts_and_stays_silent() {
    // The system completes the connection; nobody ever reads from it.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", silent.local_addr().unwrap());
    let ran = Home::new().run(&format!("metagraph --chain {url}"));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{ran:?}");
    assert!(lines[0].starts_with("error: ") && lines[0].contains(&url), "{ran:?}");
    assert_eq!(lines[1], "hint: check `--chain`, and that the node is running", "{ran:?}");
}

#[test]
fn a_chain_url_of_another_kind() {
    Home::new().run("metagraph --chain http://127.0.0.1:9944").assert_refused(
        "error: `--chain http://127.0.0.1:9944` is no websocket URL and no network\n\
         hint: pass `ws://HOST:PORT`, or one of `local`, `finney`, `test`, `archive`",
    );
}

#[test]
fn a_corrupt_wallet() {
    let home = Home::new();
    let hotkeys = home.path().join(".bittensor/wallets/default/hotkeys");
    std::fs::create_dir_all(&hotkeys).unwrap();
    std::fs::write(hotkeys.join("default"), "{\"secretPhrase\": 7").unwrap();
    std::fs::write(home.path().join("run.toml"), "").unwrap();
    let ran = home.run("miner --manifest run.toml");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{ran:?}");
    let path = "[HOME]/.bittensor/wallets/default/hotkeys/default";
    assert!(lines[0].starts_with("error: ") && lines[0].contains(path), "{ran:?}");
    assert!(lines[1].starts_with("hint: "), "{ran:?}");
}

#[test]
fn a_wallet_that_is_not_there() {
    let home = Home::new();
    std::fs::write(home.path().join("run.toml"), "").unwrap();
    let ran = home.run("miner --manifest run.toml --wallet.name nobody");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
    assert!(ran.stderr.contains("iota wallet new --wallet.name nobody"), "{ran:?}");
}
