//! Wallets from the command line: made, made again, encrypted, and used to sign.

use std::io::Write;
use std::process::Stdio;

use iota_chain::wallet::Password;

use crate::support::{Home, Transcript};

const PHRASE: &str =
    "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";
const ADDRESS: &str = "5EPCUjPxiHAcNooYipQFWr9NmmXJKpNG5RhcntXwbtUySrgH";

/// Runs a command that reads this from stdin.
fn with_stdin(home: &Home, line: &str, stdin: &str) -> Transcript {
    let mut command = home.command(line.split_whitespace());
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(stdin.as_bytes()).unwrap();
    drop(writer);
    command.stdin(Stdio::from(reader));
    home.finish(command, line)
}

#[test]
fn a_new_wallet_shows_its_phrases_once_and_its_addresses_always() {
    let home = Home::new();
    let made = home.run("wallet new --wallet.name cold --wallet.hotkey hot --no-use-password");
    assert_eq!(made.code, Some(0), "{made:?}");
    let phrases: Vec<&str> = made.stderr.lines().filter(|line| line.starts_with("  ")).collect();
    assert_eq!(phrases.len(), 2, "{made:?}");
    assert!(phrases.iter().all(|phrase| phrase.split_whitespace().count() == 12), "{made:?}");
    let shown = home.run("wallet show --wallet.name cold");
    assert_eq!((shown.code, &shown.stdout, shown.stderr.as_str()), (Some(0), &made.stdout, ""));
    // The phrase makes the same coldkey again, elsewhere.
    let again =
        with_stdin(&home, "wallet regen coldkey --wallet.name copy --no-use-password", phrases[0]);
    let address = |transcript: &Transcript| {
        let first = transcript.stdout.lines().next().unwrap();
        first.split_whitespace().nth(1).unwrap().to_owned()
    };
    assert_eq!(address(&again), address(&shown));
}

#[test]
fn a_signature_made_here_is_valid_here_and_only_for_its_message() {
    let home = Home::new();
    let made = with_stdin(&home, "wallet regen hotkey --wallet.name w", PHRASE);
    assert!(made.stdout.contains(ADDRESS), "{made:?}");
    let signed = home.run("wallet sign --wallet.name w --use-hotkey --message hello");
    let signature = signed.stdout.trim();
    let verify = |message: &str| {
        home.run(&format!(
            "wallet verify --message {message} --signature {signature} --address {ADDRESS}"
        ))
    };
    assert_eq!(
        (verify("hello").code, verify("hello").stdout.as_str()),
        (Some(0), "the signature is valid\n")
    );
    let wrong = verify("hallo");
    assert_eq!(
        (wrong.code, wrong.stderr.as_str()),
        (Some(1), "error: the signature is not valid\n")
    );
}

#[test]
fn a_key_that_is_there_is_replaced_only_on_demand() {
    let home = Home::new();
    with_stdin(&home, "wallet regen hotkey", PHRASE);
    let again = with_stdin(&home, "wallet regen hotkey", PHRASE);
    assert_eq!(again.code, Some(2), "{again:?}");
    assert!(again.stderr.contains("exists already"), "{again:?}");
    let forced = with_stdin(&home, "wallet regen hotkey --overwrite", PHRASE);
    assert_eq!(forced.code, Some(0), "{forced:?}");
    let garbage = with_stdin(&home, "wallet regen hotkey --overwrite", "these are no words");
    assert_eq!(garbage.code, Some(2), "{garbage:?}");
    assert!(!garbage.stderr.contains("these are"), "a secret is not repeated: {garbage:?}");
}

#[test]
fn a_coldkey_is_encrypted_and_its_password_comes_from_the_environment() {
    let home = Home::new();
    let refused = home.run("wallet new");
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("--no-use-password"), "{refused:?}");
    let coldkey = home.path().join(".bittensor/wallets/default/coldkey");
    let variable = Password::variable(&coldkey);
    let value = Password::from("hunter2".to_owned()).veil(&variable);
    let with_password = |line: &str, value: &str| {
        let mut command = home.command(line.split_whitespace());
        command.env(&variable, value);
        home.finish(command, line)
    };
    let made = with_password("wallet new", &value);
    assert_eq!(made.code, Some(0), "{made:?}");
    assert!(std::fs::read(&coldkey).unwrap().starts_with(b"$NACL"));
    let line = "wallet sign --message x";
    assert_eq!(with_password(line, &value).code, Some(0));
    let wrong = Password::from("hunter3".to_owned()).veil(&variable);
    let wrong = with_password(line, &wrong);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert!(wrong.stderr.contains("the password does not open"), "{wrong:?}");
    let without = home.run(line);
    assert_eq!(without.code, Some(2), "{without:?}");
    let named = variable.replace(&home.path().display().to_string(), "[HOME]");
    assert!(without.stderr.contains(&named), "{without:?}");
}
