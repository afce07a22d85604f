//! The verbs that make and use secrets: `new`, `regen`, `sign`, `verify`.

use std::io::{BufRead, IsTerminal};
use std::path::Path;

use iota_chain::wallet::{NewKey, Password, Secret, Wallet};
use iota_chain::{Keypair, from_ss58};
use zeroize::Zeroizing;

use crate::cli::{WalletNewArgs, WalletRegenArgs, WalletSignArgs, WalletVerifyArgs, WhichKey};
use crate::error::{Context, Error, Result};
use crate::outfit::{self, unusable};
use crate::printer::Printer;
use crate::settings::Surroundings;

/// Makes a hotkey, and before it the coldkey if there is none.
pub(super) fn new(around: &Surroundings, args: &WalletNewArgs) -> Result<()> {
    let place = around.wallet(&args.wallet)?;
    let wallet = Wallet::new(&place.path, &place.name);
    let printer = Printer::new(args.json);
    let mut made = Vec::new();
    if !wallet.coldkey_path().exists() {
        let password = new_password(&wallet.coldkey_path(), args.no_use_password)?;
        let secret = Secret::generate();
        let key = NewKey { secret: &secret, password: password.as_ref(), overwrite: false };
        wallet.write_coldkey(key).map_err(|error| unusable(error, &place))?;
        made.push(("coldkey", secret));
    }
    let secret = Secret::generate();
    let key = NewKey { secret: &secret, password: None, overwrite: false };
    wallet.write_hotkey(&place.hotkey, key).map_err(|error| unusable(error, &place))?;
    made.push(("hotkey", secret));
    // On stderr and for people alone: machines read the files.
    if printer == Printer::Text {
        for (which, secret) in &made {
            let phrase = secret.phrase().unwrap_or_default();
            printer.note(format!("the {which}'s phrase, to be kept on paper:\n  {phrase}"))?;
        }
    }
    super::show(&place, printer)
}

/// Makes a key's files again.
pub(super) fn regen(around: &Surroundings, args: &WalletRegenArgs) -> Result<()> {
    let place = around.wallet(&args.wallet)?;
    let wallet = Wallet::new(&place.path, &place.name);
    let secret = secret()?;
    let made = match args.key {
        WhichKey::Coldkey => {
            let password = new_password(&wallet.coldkey_path(), args.no_use_password)?;
            let overwrite = args.overwrite;
            wallet.write_coldkey(NewKey { secret: &secret, password: password.as_ref(), overwrite })
        }
        WhichKey::Hotkey => {
            let key = NewKey { secret: &secret, password: None, overwrite: args.overwrite };
            wallet.write_hotkey(&place.hotkey, key)
        }
    };
    made.map_err(|error| unusable(error, &place))?;
    super::show(&place, Printer::new(args.json))
}

/// Signs a message as its bytes are.
pub(super) fn sign(around: &Surroundings, args: &WalletSignArgs) -> Result<()> {
    let place = around.wallet(&args.wallet)?;
    let key = if args.use_hotkey { outfit::hotkey(&place)? } else { outfit::coldkey(&place)? };
    let signature = format!("0x{}", hex::encode(key.sign(args.message.as_bytes())));
    match Printer::new(args.json) {
        printer @ Printer::Text => printer.line(signature)?,
        printer @ Printer::Json => {
            let address = key.ss58();
            printer.object(&serde_json::json!({ "address": address, "signature": signature }))?;
        }
    }
    Ok(())
}

/// Says whether a signature holds; if not, with exit code 1.
pub(super) fn verify(args: &WalletVerifyArgs) -> Result<()> {
    let public =
        from_ss58(&args.address).or_argument(format!("cannot use `--address {}`", args.address))?;
    let digits = args.signature.strip_prefix("0x").unwrap_or(&args.signature);
    let signature: [u8; 64] = hex::decode(digits)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| Error::argument("`--signature` is no signature: 64 bytes of hex"))?;
    let holds = Keypair::verify(&public, args.message.as_bytes(), &signature);
    match Printer::new(args.json) {
        printer @ Printer::Json => printer.object(&serde_json::json!({ "valid": holds }))?,
        printer @ Printer::Text if holds => printer.line("the signature is valid")?,
        Printer::Text => {}
    }
    if holds { Ok(()) } else { Err(Error::user("the signature is not valid")) }
}

/// The password of a coldkey to be written: from its variable, or typed twice.
fn new_password(path: &Path, without: bool) -> Result<Option<Password>> {
    if without {
        return Ok(None);
    }
    let Some(password) = outfit::password(path)? else {
        return Err(Error::argument("a coldkey needs a password, and nobody can type one here")
            .hint(format!(
                "set `{}` as the Bittensor wallet does, or pass `--no-use-password`",
                Password::variable(path)
            )));
    };
    let is_typed = std::env::var_os(Password::variable(path)).is_none();
    if is_typed {
        let again = rpassword::prompt_password("once more: ").or_argument("cannot read it")?;
        if Password::from(again) != password {
            return Err(Error::argument("the two passwords differ").hint("try again"));
        }
    }
    Ok(Some(password))
}

/// A phrase or seed from stdin; typed without an echo where stdin is a terminal.
fn secret() -> Result<Secret> {
    let typed = if std::io::stdin().is_terminal() {
        rpassword::prompt_password("phrase or seed: ")
    } else {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|_| line)
    };
    let typed = Zeroizing::new(typed.or_argument("cannot read the phrase")?);
    Secret::parse(&typed).or_argument("stdin holds no key").map_err(|error| {
        error.hint("pass twelve words of a BIP-39 phrase, or a seed of 64 hex digits")
    })
}
