//! `iota localnet scaffold`: from an empty development chain to a subnet one can work on.

use std::path::Path;
use std::time::Duration;

use iota_chain::wallet::{Wallet, WalletError};
use iota_chain::{Call, Client, Hyperparameter, Keypair, Rao};
use jsonrpsee::rpc_params;
use serde::Serialize;
use serde_json::{Value, json};

use super::Target;
use crate::cli::ScaffoldArgs;
use crate::error::{Context, Error, Result};
use crate::outfit;

/// The subnet that is made.
const NETUID: u16 = 1;
/// The hotkey of each wallet.
const HOTKEY: &str = "default";
/// What each validator stakes.
const STAKE: Rao = Rao::tao(100);
/// What the owner needs besides: the lock of a first subnet.
const LOCK: Rao = Rao::tao(1_000);
/// Blocks made for one extrinsic at most: a chain may make them itself, and may be slow to.
const BLOCKS: u32 = 8;
/// Time between them.
const PAUSE: Duration = Duration::from_millis(100);

/// Somebody with a wallet.
#[derive(Serialize)]
struct Member {
    wallet: String,
    coldkey: String,
    hotkey: String,
    #[serde(skip)]
    keys: (Keypair, Keypair),
}

/// What is to be done, and on what.
struct Scaffold<'a> {
    target: &'a Target,
    client: Client,
    root: Keypair,
}

pub(super) async fn run(target: &Target, args: &ScaffoldArgs, wallets: &Path) -> Result<()> {
    let client = outfit::connect(&target.url).await?;
    let exists = client.subnet_owner_hotkey(NETUID).await.or_user("cannot read the subnets")?;
    if exists.is_some() {
        return Err(Error::user(format!("subnet {NETUID} exists already"))
            .hint("scaffold a fresh chain, or go back to one with `iota localnet revert`"));
    }
    let owner = member("owner", wallets)?;
    let numbered = |role: &'static str, count: u16| {
        (1..=count).map(move |number| member(&format!("{role}-{number}"), wallets))
    };
    let validators = numbered("validator", args.validators).collect::<Result<Vec<_>>>()?;
    let miners = numbered("miner", args.miners).collect::<Result<Vec<_>>>()?;
    let root = Keypair::from_uri("//Alice").or_user("cannot derive //Alice")?;
    let scaffold = Scaffold { target, client, root };

    scaffold.fund(&owner, Rao(args.funds.0.saturating_add(LOCK.0))).await?;
    for member in validators.iter().chain(&miners) {
        scaffold.fund(member, Rao(args.funds.0.saturating_add(STAKE.0))).await?;
    }
    scaffold.subnet(&owner, args).await?;
    for member in validators.iter().chain(&miners) {
        let hotkey = member.keys.1.public();
        scaffold.send(&member.keys.0, Call::BurnedRegister { netuid: NETUID, hotkey }).await?;
    }
    for member in &validators {
        let hotkey = member.keys.1.public();
        let call = Call::AddStake { hotkey, netuid: NETUID, amount: STAKE.0 };
        scaffold.send(&member.keys.0, call).await?;
    }
    // The epoch gives the validators their permits.
    let epoch = json!({ "epoch": NETUID });
    let head: Value = target.dev.call("dev_warp", rpc_params![epoch]).await?;
    scaffold.show(&owner, &validators, &miners, &head, wallets)
}

impl Scaffold<'_> {
    async fn fund(&self, member: &Member, amount: Rao) -> Result<()> {
        let params = rpc_params![&member.coldkey, amount.0.to_string()];
        self.target.dev.call::<String>("dev_fund", params).await.map(drop)
    }

    /// Registers and starts the subnet, with what tests need: short epochs, plain weights, no
    /// limits on how often, permits for as many as there are validators.
    async fn subnet(&self, owner: &Member, args: &ScaffoldArgs) -> Result<()> {
        let hotkey = owner.keys.1.public();
        self.send(&owner.keys.0, Call::RegisterNetwork { hotkey }).await?;
        let root = |call| Call::Sudo(Box::new(call));
        let mut calls = vec![root(Call::SetAdminFreezeWindow(0))];
        for parameter in [
            Hyperparameter::Tempo(args.tempo),
            Hyperparameter::MaxAllowedValidators(args.validators),
            Hyperparameter::CommitRevealWeightsEnabled(false),
            Hyperparameter::WeightsSetRateLimit(0),
            Hyperparameter::ServingRateLimit(0),
            Hyperparameter::SubtokenEnabled(true),
            Hyperparameter::SubnetEmissionEnabled(true),
        ] {
            calls.push(root(Call::SetHyperparameter { netuid: NETUID, parameter }));
        }
        self.send(&self.root, Call::Batch(calls)).await?;
        self.send(&owner.keys.0, Call::StartCall { netuid: NETUID }).await
    }

    /// Sends a call, and makes the block that takes it where the chain does not make blocks by
    /// itself.
    async fn send(&self, signer: &Keypair, call: Call) -> Result<()> {
        let sent = self.client.submit(signer, &call);
        let sealed = async {
            for _ in 0..BLOCKS {
                tokio::time::sleep(PAUSE).await;
                self.target.dev.seal(1).await?;
            }
            std::future::pending::<Result<()>>().await
        };
        tokio::select! {
            sent = sent => sent.or_user(format!("cannot send {call:?}")).map(drop),
            failed = sealed => failed,
        }
    }

    fn show(
        &self,
        owner: &Member,
        validators: &[Member],
        miners: &[Member],
        head: &Value,
        wallets: &Path,
    ) -> Result<()> {
        let number = head.get("number").and_then(Value::as_u64).unwrap_or_default();
        let object = json!({
            "netuid": NETUID, "block": number, "wallets": wallets,
            "owner": owner, "validators": validators, "miners": miners,
        });
        let mut text = format!(
            "subnet {NETUID} is started, at block {number}\nwallets in {}:",
            wallets.display()
        );
        for member in [owner].into_iter().chain(validators).chain(miners) {
            text.push_str(&format!("\n  {:<22} {}", member.wallet, member.hotkey));
        }
        self.target.print(&object, &text)
    }
}

/// A member's wallet, which is written where it is not there.
fn member(role: &str, wallets: &Path) -> Result<Member> {
    let name = format!("localnet-{role}");
    let wallet = Wallet::new(wallets, &name);
    let what = format!("cannot make the wallet `{name}`");
    let taken = |error: Error| {
        error.hint("a wallet of this name holds other keys; pass another `--wallet.path`")
    };
    let (cold, hot) = (seed(&name, "coldkey"), seed(&name, HOTKEY));
    let coldkey = match wallet.create_coldkey(&cold) {
        Err(WalletError::Exists { .. }) => same(wallet.coldkey(None), &cold),
        made => made.or_argument(&what),
    };
    let hotkey = match wallet.create_hotkey(HOTKEY, &hot) {
        Err(WalletError::Exists { .. }) => same(wallet.hotkey(HOTKEY, None), &hot),
        made => made.or_argument(&what),
    };
    let (coldkey, hotkey) = (coldkey.map_err(taken)?, hotkey.map_err(taken)?);
    Ok(Member {
        wallet: name,
        coldkey: coldkey.ss58(),
        hotkey: hotkey.ss58(),
        keys: (coldkey, hotkey),
    })
}

/// The key of a file, if it is the one of the seed.
fn same(found: std::result::Result<Keypair, WalletError>, seed: &[u8; 32]) -> Result<Keypair> {
    let found = found.or_argument("cannot use the wallet that is there")?;
    if found.public() == Keypair::from_seed(seed).public() {
        return Ok(found);
    }
    Err(Error::argument("the wallet that is there holds another key"))
}

/// Where a key comes from: always the same, so that a chain started anew knows the wallets.
fn seed(wallet: &str, key: &str) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("iota localnet keys");
    hasher.update(wallet.as_bytes()).update(b"/").update(key.as_bytes());
    hasher.finalize().into()
}
