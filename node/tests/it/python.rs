//! Wallets, shared with the Bittensor wallet's own Python package: each reads what the other wrote.
//!
//! Needs the interpreter that `cargo xtask test` prepares; without it these tests say so and pass.

use std::process::{Command, Stdio};

use iota_chain::wallet::Password;

use crate::support::{Home, Transcript, client};

/// Runs a script with the wallet package; none where there is no interpreter.
fn python(home: &Home, script: &str) -> Option<Transcript> {
    let mut command = Command::new(client("wallet")?.join("bin/python"));
    command
        .args(["-c", script])
        .env("HOME", home.path())
        .current_dir(home.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Some(home.finish(command, "python"))
}

/// The words that follow `mark` on a line of its own.
fn said<'a>(transcript: &'a Transcript, mark: &str) -> &'a str {
    let line = transcript.stdout.lines().find_map(|line| line.strip_prefix(mark));
    line.unwrap_or_else(|| panic!("no `{mark}` in {transcript:?}")).trim()
}

#[test]
fn the_python_package_reads_our_wallets_and_checks_our_signatures() {
    let home = Home::new();
    let coldkey = home.path().join(".bittensor/wallets/ours/coldkey");
    let variable = Password::variable(&coldkey);
    let value = Password::from("hunter2".to_owned()).veil(&variable);
    let line = "wallet new --wallet.name ours --wallet.hotkey hot";
    let mut command = home.command(line.split_whitespace());
    command.env(&variable, &value);
    let made = home.finish(command, line);
    assert_eq!(made.code, Some(0), "{made:?}");
    let signed =
        home.run("wallet sign --wallet.name ours --wallet.hotkey hot --use-hotkey --message hello");
    let script = format!(
        "
from bittensor_wallet import Wallet
wallet = Wallet(name='ours', hotkey='hot')
print('coldkey', wallet.get_coldkey(password='hunter2').ss58_address)
print('coldkeypub', wallet.coldkeypub.ss58_address)
print('hotkey', wallet.hotkey.ss58_address)
print('variable', wallet.coldkey_file.env_var_name())
print('valid', wallet.hotkey.verify('hello', '{}'))
",
        signed.stdout.trim()
    );
    let Some(read) = python(&home, &script) else { return };
    assert_eq!(read.code, Some(0), "{read:?}");
    let addresses: Vec<&str> =
        made.stdout.lines().map(|line| line.split_whitespace().last().unwrap()).collect();
    assert_eq!((said(&read, "coldkey "), said(&read, "coldkeypub ")), (addresses[0], addresses[0]));
    assert_eq!((said(&read, "hotkey "), said(&read, "valid ")), (addresses[1], "True"));
    assert_eq!(said(&read, "variable "), variable);
}

#[test]
fn we_read_the_wallets_of_the_python_package_and_check_its_signatures() {
    let home = Home::new();
    let script = "
import os
from bittensor_wallet import Wallet, Keypair
wallet = Wallet(name='theirs', hotkey='hot')
cold = Keypair.create_from_mnemonic(Keypair.generate_mnemonic())
hot = Keypair.create_from_mnemonic(Keypair.generate_mnemonic())
wallet.set_coldkey(keypair=cold, encrypt=True, coldkey_password='hunter2')
wallet.set_coldkeypub(keypair=cold)
wallet.set_hotkey(keypair=hot, encrypt=False)
wallet.set_hotkeypub(keypair=hot)
wallet.coldkey_file.save_password_to_env('hunter2')
print('coldkey', cold.ss58_address)
print('hotkey', hot.ss58_address)
print('signature', '0x' + hot.sign('hello').hex())
os.system('env | grep BT_PW')
";
    let Some(made) = python(&home, script) else { return };
    assert_eq!(made.code, Some(0), "{made:?}");
    let shown = home.run("wallet show --wallet.name theirs");
    let (coldkey, hotkey) = (said(&made, "coldkey "), said(&made, "hotkey "));
    assert!(shown.stdout.contains(coldkey) && shown.stdout.contains(hotkey), "{shown:?}");
    let signature = said(&made, "signature ");
    let line = format!("wallet verify --message hello --signature {signature} --address {hotkey}");
    assert_eq!(home.run(&line).code, Some(0));
    let variable = Password::variable(&home.path().join(".bittensor/wallets/theirs/coldkey"));
    let line = "wallet sign --wallet.name theirs --message hello";
    let mut command = home.command(line.split_whitespace());
    command.env(&variable, said(&made, &format!("{variable}=")));
    let signed = home.finish(command, line);
    assert_eq!(signed.code, Some(0), "{signed:?}");
    let signature = signed.stdout.trim();
    let line = format!("wallet verify --message hello --signature {signature} --address {coldkey}");
    assert_eq!(home.run(&line).code, Some(0));
}
