//! Sets a fresh chain up for a run: accounts, a subnet, registrations, stakes, a manifest.
//!
//! Everything is a signed extrinsic that any user could send, in an order that depends on the
//! settings alone and with one block per extrinsic, so that equal seeds lead to equal chains. What
//! only a development chain allows is the sudo key, //Alice.

use iota_chain::{Call, Client, Field, Hyperparameter, Keypair, Rao};

use crate::demo::cast::Cast;
use crate::error::{Context, Result};
use crate::preset::{self, Choice};
use crate::protocol::commitment::Commitment;
use crate::protocol::manifest::Manifest;
use crate::settings::DemoSettings;
use crate::text;

/// The first subnet that is registered on a fresh chain.
pub const NETUID: u16 = 1;
/// Blocks between the roles' start and epoch 0, in which they announce themselves on chain.
pub const OPENING: u32 = 16;
/// Blocks from an epoch's start to the end of the chain's tempo, which pays by the weights that
/// validators set in the epoch before. Late enough for the last of these to be included.
pub const PAY_DELAY: u32 = 4;

/// What the owner gets: the lock of a first subnet is 1000 TAO.
const OWNER_FUNDS: Rao = Rao::tao(5_000);
/// What the miners' wallet gets: registrations, each dearer than the one before.
const MINERS_FUNDS: Rao = Rao::tao(50_000);
/// What the validators' wallet gets: registrations and stakes.
const VALIDATORS_FUNDS: Rao = Rao::tao(50_000);
/// What each validator stakes. Small against the subnet's pool, so that the second one's TAO buys
/// nearly as much alpha as the first one's.
const STAKE: Rao = Rao::tao(10);

/// Signs and sends the set-up's extrinsics.
pub struct Setup<'a> {
    client: &'a Client,
    cast: &'a Cast,
    settings: &'a DemoSettings,
    sudo: Keypair,
}

impl<'a> Setup<'a> {
    /// A set-up of this chain for this cast.
    ///
    /// # Errors
    /// Never: the sudo key's secret is a constant.
    pub fn new(client: &'a Client, cast: &'a Cast, settings: &'a DemoSettings) -> Result<Self> {
        let sudo = Keypair::from_uri("//Alice").or_user("cannot derive //Alice")?;
        Ok(Self { client, cast, settings, sudo })
    }

    /// Gives every coldkey what it will spend.
    ///
    /// # Errors
    /// If the chain refuses.
    pub async fn fund(&self) -> Result<()> {
        let Cast { owner, miners, validators, .. } = self.cast;
        for (key, funds) in
            [(owner, OWNER_FUNDS), (miners, MINERS_FUNDS), (validators, VALIDATORS_FUNDS)]
        {
            let call = Call::Transfer { dest: key.public(), value: funds.0 };
            self.send(&self.sudo, call, "fund a coldkey").await?;
        }
        Ok(())
    }

    /// Registers a subnet, lets it start, and sets what its owner or root must set: a subnet that
    /// skips one of these pays nobody, or refuses weights.
    ///
    /// # Errors
    /// If the chain refuses.
    pub async fn subnet(&self) -> Result<()> {
        let owner = &self.cast.owner.pair;
        let register = Call::RegisterNetwork { hotkey: self.cast.owner_hotkey.public() };
        self.send(owner, register, "register the subnet").await?;
        self.sudo(Call::SetAdminFreezeWindow(0)).await?;
        let tempo = u16::try_from(preset::PHASES.total()).unwrap_or(u16::MAX);
        for parameter in [
            Hyperparameter::Tempo(tempo),
            // Miners, who are paid in stake, must not get the permits.
            Hyperparameter::MaxAllowedValidators(self.settings.validators),
            Hyperparameter::CommitRevealWeightsEnabled(false),
            // Registration counts as setting weights, and would block the first real ones.
            Hyperparameter::WeightsSetRateLimit(0),
            Hyperparameter::ServingRateLimit(0),
            Hyperparameter::SubtokenEnabled(true),
            Hyperparameter::SubnetEmissionEnabled(true),
        ] {
            self.sudo(Call::SetHyperparameter { netuid: NETUID, parameter }).await?;
        }
        self.send(owner, Call::StartCall { netuid: NETUID }, "start the subnet").await
    }

    /// Registers everybody, in the order of the cast, and stakes the validators equally.
    ///
    /// # Errors
    /// If the chain refuses.
    pub async fn members(&self) -> Result<()> {
        for member in &self.cast.members {
            let call = Call::BurnedRegister { netuid: NETUID, hotkey: member.hotkey.public() };
            let what = format!("register {}", member.name);
            self.send(self.cast.coldkey_of(member), call, &what).await?;
        }
        for member in self.cast.validators() {
            let hotkey = member.hotkey.public();
            let call = Call::AddStake { hotkey, netuid: NETUID, amount: STAKE.0 };
            let what = format!("stake {}", member.name);
            self.send(self.cast.coldkey_of(member), call, &what).await?;
        }
        Ok(())
    }

    /// The run's manifest: its epochs start [`PAY_DELAY`] blocks before a tempo ends, the first one
    /// after a whole tempo, which the validators' permits take, and after the opening.
    ///
    /// # Errors
    /// If the text cannot be used.
    pub fn manifest(&self, head: u32, last_tempo: u32) -> Result<Manifest> {
        let tempo = preset::PHASES.total();
        let choice = Choice {
            name: "demo".into(),
            genesis: self.client.genesis_hash(),
            netuid: NETUID,
            start_block: start_block(head + self.extrinsics(), last_tempo, tempo),
            stages: self.settings.stages,
            seed: self.settings.seed,
            pins: self.cast.pins(),
        };
        let mut manifest = preset::small(choice);
        let data = text::open(self.settings.data.as_deref(), manifest.model.context)?;
        preset::fit(&mut manifest, data.manifest());
        Ok(manifest)
    }

    /// Publishes the manifest's hash as the owner.
    ///
    /// # Errors
    /// If the chain refuses.
    pub async fn commit(&self, manifest: &Manifest) -> Result<()> {
        let fields = Commitment::of_manifest(manifest.hash()).fields();
        let fields = fields.into_iter().map(|field| field.map_or(Field::None, Field::Bytes));
        let call = Call::SetCommitment { netuid: manifest.netuid, fields: fields.collect() };
        self.send(&self.cast.owner_hotkey.pair, call, "commit the manifest").await
    }

    /// Extrinsics that are yet to come before the opening: the manifest's, and each role's address.
    fn extrinsics(&self) -> u32 {
        1 + u32::try_from(self.cast.members.len()).unwrap_or(u32::MAX)
    }

    async fn sudo(&self, call: Call) -> Result<()> {
        let what = format!("set {call:?}");
        self.send(&self.sudo, Call::Sudo(Box::new(call)), &what).await
    }

    async fn send(&self, signer: &Keypair, call: Call, what: &str) -> Result<()> {
        let sent = self.client.submit(signer, &call).await;
        sent.or_user(format!("cannot {what}")).map(drop)
    }
}

/// The first block that leaves room for a tempo and the opening, and lies [`PAY_DELAY`] before the
/// end of a tempo.
fn start_block(head: u32, last_tempo: u32, tempo: u32) -> u32 {
    let earliest = head + tempo + OPENING;
    let tempos = (earliest + PAY_DELAY - last_tempo).div_ceil(tempo);
    last_tempo + tempos * tempo - PAY_DELAY
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_start_a_fixed_number_of_blocks_before_a_tempo_ends() {
        for (head, last_tempo) in [(30, 4), (30, 29), (45, 1), (100, 92)] {
            let start = start_block(head, last_tempo, 44);
            assert_eq!((start + PAY_DELAY - last_tempo) % 44, 0, "{head} {last_tempo}");
            assert!(start >= head + 44 + OPENING, "{head} {last_tempo}: {start}");
            assert!(start < head + 2 * 44 + OPENING, "{head} {last_tempo}: {start}");
        }
    }
}
