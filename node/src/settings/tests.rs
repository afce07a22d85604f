//! Flags over environment over defaults, and numbers that do not fit together.

use clap::Parser;

use super::*;
use crate::cli::{Cli, Command};

fn parse(line: &str) -> Command {
    Cli::try_parse_from(line.split_whitespace()).unwrap().command
}

fn demo(line: &str) -> Result<DemoSettings> {
    let Command::Demo(args) = parse(&format!("iota demo {line}")) else {
        panic!("no demo: {line}");
    };
    DemoSettings::new(&args)
}

fn miner(line: &str, around: &Surroundings) -> Result<RoleSettings> {
    let Command::Miner(args) = parse(&format!("iota miner --manifest run.toml {line}")) else {
        panic!("no miner: {line}");
    };
    around.role(&args.role, args.hostile)
}

fn at_home() -> Surroundings {
    Surroundings { home: Some("/h".into()), ..Surroundings::default() }
}

#[test]
fn a_role_without_flags_uses_the_local_chain_and_the_default_wallet() {
    let settings = miner("", &at_home()).unwrap();
    assert_eq!(settings.chain, "ws://127.0.0.1:9944");
    assert_eq!(settings.wallet.path, Path::new("/h/.bittensor/wallets"));
    assert_eq!(settings.state, Path::new("/h/.iota/1/default/default"));
    assert_eq!(settings.listen.to_string(), "0.0.0.0:0");
    assert_eq!(settings.hostile, None);
}

#[test]
fn a_flag_wins_over_the_endpoint_and_that_over_the_network() {
    let mut around = at_home();
    around.network = Some("test".into());
    assert_eq!(miner("", &around).unwrap().chain, "wss://test.finney.opentensor.ai:443");
    around.chain_endpoint = Some("ws://node:1".into());
    assert_eq!(miner("", &around).unwrap().chain, "ws://node:1");
    assert_eq!(miner("--chain local", &around).unwrap().chain, "ws://127.0.0.1:9944");
}

#[test]
fn a_chain_that_is_no_url_and_no_name_is_an_argument_error() {
    let error = miner("--chain http://x", &at_home()).unwrap_err();
    assert!(error.to_string().contains("hint: pass `ws://HOST:PORT`"), "{error}");
    assert_eq!(error.kind(), crate::error::Kind::Argument);
}

#[test]
fn btcli_names_select_the_wallet() {
    let line = "--wallet.name cold --wallet.hotkey hot --wallet.path ~/w --port 7000";
    let settings = miner(line, &at_home()).unwrap();
    let place = WalletPlace { path: "/h/w".into(), name: "cold".into(), hotkey: "hot".into() };
    assert_eq!(settings.wallet, place);
    assert_eq!(settings.state, Path::new("/h/.iota/1/cold/hot"));
    assert_eq!(settings.listen.port(), 7000);
}

#[test]
fn a_wallet_name_cannot_leave_its_folder() {
    for name in ["../x", "a/b", ".", ".hidden"] {
        assert!(miner(&format!("--wallet.name {name}"), &at_home()).is_err(), "{name}");
    }
}

#[test]
fn the_default_demo_has_one_hostile_miner_in_the_middle_stage() {
    let settings = demo("").unwrap();
    assert_eq!(settings.hostile, [4]);
    assert_eq!(settings.stage_of(4), 1);
}

#[test]
fn only_a_tail_can_lie_about_the_loss() {
    let settings = demo("--hostile-kind false-loss").unwrap();
    assert_eq!(settings.hostile, [5]);
    assert_eq!(settings.stage_of(5), 2);
    assert!(demo("--hostile-kind false-loss --hostile 2").is_err());
}

#[test]
fn every_stage_keeps_an_honest_miner() {
    let settings = demo("--hostile 3").unwrap();
    let mut stages: Vec<u16> = settings.hostile.iter().map(|m| settings.stage_of(*m)).collect();
    stages.sort_unstable();
    assert_eq!(stages, [0, 1, 2]);
    assert!(demo("--hostile 4").is_err());
    assert!(demo("--miners 3 --hostile 1").is_err());
    assert_eq!(demo("--miners 3 --hostile 0").unwrap().hostile, [0_u16; 0]);
}

#[test]
fn numbers_that_do_not_fit_say_what_to_pass() {
    for (line, advice) in [
        ("--miners 2 --stages 3", "hint: pass `--miners 3` or more, or fewer `--stages`"),
        ("--stages 1", "hint: pass `--stages 2` or more"),
        ("--validators 0", "hint: pass `--validators 1` or more"),
        ("--epochs 0", "hint: pass `--epochs 1` or more"),
        ("--miners 65000", "hint: pass fewer `--miners` or `--validators`"),
        ("--block-time 1", "hint: pass `--block-time` between 100 and 60000"),
    ] {
        let error = demo(line).unwrap_err();
        assert_eq!(error.kind(), crate::error::Kind::Argument, "{line}");
        assert!(error.to_string().ends_with(advice), "{line}: {error}");
    }
}

#[test]
fn data_that_cannot_be_read_is_an_argument_error() {
    assert!(check_data(None).is_ok());
    assert!(check_data(Some(Path::new("."))).is_ok());
    let error = check_data(Some(Path::new("/no/such/text"))).unwrap_err();
    assert!(error.to_string().starts_with("error: cannot read `--data /no/such/text`"), "{error}");
}
