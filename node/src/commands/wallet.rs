//! `iota wallet`: thin, because btcli's files are the interface. Here is what shows; `keys` makes and
//! uses secrets.

use std::path::Path;

use iota_chain::{Call, Hotkey, Rao, from_ss58, to_ss58};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::order::{Effect, Order};
use crate::cli::{ChainArgs, TransferArgs, WalletCommand, WalletFlags};
use crate::error::{Context, Error, Result};
use crate::outfit;
use crate::printer::Printer;
use crate::settings::{Surroundings, WalletPlace};

mod keys;

/// The addresses of a wallet.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Addresses {
    name: String,
    coldkey: Option<String>,
    hotkeys: Vec<HotkeyAddress>,
}

/// The address of one hotkey.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct HotkeyAddress {
    name: String,
    address: String,
}

/// The part of a public key file that we show.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PublicFile {
    ss58_address: String,
}

/// Runs the verb.
pub(super) async fn run(command: WalletCommand) -> Result<()> {
    let around = Surroundings::of_process();
    match command {
        WalletCommand::New(args) => keys::new(&around, &args),
        WalletCommand::Regen(args) => keys::regen(&around, &args),
        WalletCommand::Sign(args) => keys::sign(&around, &args),
        WalletCommand::Verify(args) => keys::verify(&args),
        WalletCommand::Show { wallet, json } => show(&around.wallet(&wallet)?, Printer::new(json)),
        WalletCommand::List { path, json } => {
            for wallet in list(&around.wallets(path.as_deref())?)? {
                print(Printer::new(json), &wallet)?;
            }
            Ok(())
        }
        WalletCommand::Transfer(args) => transfer(&args).await,
        WalletCommand::Balance { wallet, chain, json } => {
            balance(&around, &wallet, &chain, Printer::new(json)).await
        }
    }
}

/// Shows the addresses of one wallet.
fn show(place: &WalletPlace, printer: Printer) -> Result<()> {
    let found = read(&place.path.join(&place.name), &place.name);
    print(printer, &found.ok_or_else(|| missing(&place.path, &place.name))?)
}

/// Sends TAO from the coldkey.
async fn transfer(args: &TransferArgs) -> Result<()> {
    let TransferArgs { destination, amount, chain, sign } = args;
    let dest = from_ss58(destination).or_argument(format!("`{destination}` is no address"))?;
    let order = Order::open(chain, sign).await?;
    let call = Call::Transfer { dest, value: amount.0 };
    let object = json!({ "destination": destination, "rao": amount.0 });
    let effect = Effect::new(format!("sends {amount} to {destination}"), object);
    order.place("cannot send", &order.coldkey()?, &call, effect).await?;
    Ok(())
}

/// A coldkey's account, by its public file: no secret is opened.
pub(super) fn coldkey_account(place: &WalletPlace) -> Result<Hotkey> {
    let found = read(&place.path.join(&place.name), &place.name);
    let address = found.and_then(|wallet| wallet.coldkey);
    let address = address.ok_or_else(|| missing(&place.path, &place.name))?;
    from_ss58(&address).or_argument("cannot read the coldkey's address")
}

/// A hotkey's account, by its public file where there is one.
pub(super) fn hotkey_account(place: &WalletPlace) -> Result<Hotkey> {
    let found = read(&place.path.join(&place.name), &place.name);
    let hotkeys = found.map(|wallet| wallet.hotkeys).unwrap_or_default();
    match hotkeys.into_iter().find(|hotkey| hotkey.name == place.hotkey) {
        Some(hotkey) => from_ss58(&hotkey.address).or_argument("cannot read the hotkey's address"),
        None => Ok(outfit::hotkey(place)?.public()),
    }
}

/// Shows what the coldkey holds.
async fn balance(
    around: &Surroundings,
    flags: &WalletFlags,
    chain: &ChainArgs,
    printer: Printer,
) -> Result<()> {
    let account = coldkey_account(&around.wallet(flags)?)?;
    let address = to_ss58(&account);
    let client = outfit::reach(chain).await?;
    let rao = client.balance(&account).await.or_user("cannot read the balance")?;
    match printer {
        Printer::Text => printer.line(format!("{address}  {}", Rao(rao)))?,
        Printer::Json => {
            printer.object(&json!({ "coldkey": address, "rao": rao }))?;
        }
    }
    Ok(())
}

fn missing(path: &Path, name: &str) -> Error {
    Error::argument(format!("there is no wallet `{name}` in {}", path.display())).hint(format!(
        "make it with `iota wallet new --wallet.name {name}`, or pass another `--wallet.path`"
    ))
}

/// All wallets of a folder, by name.
fn list(path: &Path) -> Result<Vec<Addresses>> {
    let entries = std::fs::read_dir(path)
        .or_argument(format!("cannot read the folder of wallets {}", path.display()))
        .map_err(|error| error.hint("make a wallet with `iota wallet new`"))?;
    let mut wallets: Vec<Addresses> = entries
        .flatten()
        .filter_map(|entry| read(&entry.path(), &entry.file_name().to_string_lossy()))
        .collect();
    wallets.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(wallets)
}

/// The addresses in a wallet's folder, from its public files: no secret is opened. `None` for a
/// folder that holds neither coldkey nor hotkeys.
fn read(folder: &Path, name: &str) -> Option<Addresses> {
    let coldkey = address(&folder.join("coldkeypub.txt"));
    let mut hotkeys = Vec::new();
    for entry in std::fs::read_dir(folder.join("hotkeys")).into_iter().flatten().flatten() {
        let file = entry.file_name().to_string_lossy().into_owned();
        let Some(name) = file.strip_suffix("pub.txt") else { continue };
        if let Some(address) = address(&entry.path()) {
            hotkeys.push(HotkeyAddress { name: name.into(), address });
        }
    }
    hotkeys.sort();
    let is_wallet = coldkey.is_some() || !hotkeys.is_empty();
    is_wallet.then(|| Addresses { name: name.into(), coldkey, hotkeys })
}

fn address(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    serde_json::from_str::<PublicFile>(&text).ok().map(|file| file.ss58_address)
}

fn print(printer: Printer, wallet: &Addresses) -> Result<()> {
    if printer == Printer::Json {
        printer.object(wallet)?;
        return Ok(());
    }
    printer.line(format!("{}  {}", wallet.name, wallet.coldkey.as_deref().unwrap_or("-")))?;
    for hotkey in &wallet.hotkeys {
        printer.line(format!("  {}  {}", hotkey.name, hotkey.address))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use iota_chain::wallet::Wallet;

    use super::*;

    #[test]
    fn wallets_are_listed_from_their_public_files_alone() {
        let folder = tempfile::tempdir().unwrap();
        let wallet = Wallet::new(folder.path(), "cold");
        let coldkey = wallet.create_coldkey(&[1; 32]).unwrap();
        let hotkey = wallet.create_hotkey("hot", &[2; 32]).unwrap();
        std::fs::remove_file(wallet.coldkey_path()).unwrap();
        std::fs::create_dir(folder.path().join("empty")).unwrap();
        let expected = Addresses {
            name: "cold".into(),
            coldkey: Some(coldkey.ss58()),
            hotkeys: vec![HotkeyAddress { name: "hot".into(), address: hotkey.ss58() }],
        };
        assert_eq!(list(folder.path()).unwrap(), [expected]);
    }
}
