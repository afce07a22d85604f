//! Who takes part in a demo: names, wallets and keys, all of them a function of the seed.
//!
//! Three wallets, as a small team would have them: the subnet's owner, one coldkey with all miners'
//! hotkeys, and one with the validators'.

use std::path::Path;

use iota_chain::Keypair;
use iota_chain::wallet::{Wallet, WalletError};

use crate::settings::{DemoSettings, HostileKind};

/// The wallet of the subnet's owner.
pub const OWNER: &str = "owner";
/// The wallet of the miners.
pub const MINERS: &str = "miners";
/// The wallet of the validators.
pub const VALIDATORS: &str = "validators";

/// What a member does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Trains the stage that it is pinned to, and cheats if told so.
    Miner {
        /// The stage.
        stage: u16,
        /// How it cheats.
        hostile: Option<HostileKind>,
    },
    /// Checks miners.
    Validator,
}

/// A secret seed with its key.
#[derive(Clone)]
pub struct Key {
    seed: [u8; 32],
    /// The key.
    pub pair: Keypair,
}

impl Key {
    fn new(seed: u64, name: &str) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("iota demo keys");
        hasher.update(&seed.to_le_bytes()).update(name.as_bytes());
        let seed = hasher.finalize().into();
        Self { seed, pair: Keypair::from_seed(&seed) }
    }

    /// The public key.
    pub fn public(&self) -> [u8; 32] {
        self.pair.public()
    }
}

/// One miner or validator.
#[derive(Clone)]
pub struct Member {
    /// Its name, which is the name of its hotkey, too.
    pub name: String,
    /// Its hotkey.
    pub hotkey: Key,
    /// What it does.
    pub part: Part,
}

impl Member {
    /// The wallet that its hotkey is in.
    pub fn wallet(&self) -> &'static str {
        match self.part {
            Part::Miner { .. } => MINERS,
            Part::Validator => VALIDATORS,
        }
    }
}

/// Everybody.
#[derive(Clone)]
pub struct Cast {
    /// The owner's coldkey.
    pub owner: Key,
    /// The owner's hotkey.
    pub owner_hotkey: Key,
    /// The coldkey of the miners' wallet.
    pub miners: Key,
    /// The coldkey of the validators' wallet.
    pub validators: Key,
    /// Validators, then miners, each by number: the order in which they are registered.
    pub members: Vec<Member>,
}

impl Cast {
    /// The cast of a demo.
    pub fn new(settings: &DemoSettings) -> Self {
        let key = |name: &str| Key::new(settings.seed, name);
        let validators = (1..=settings.validators).map(|number| {
            let name = format!("validator-{number}");
            Member { hotkey: key(&name), name, part: Part::Validator }
        });
        let miners = (0..settings.miners).map(|index| {
            let name = format!("miner-{}", index + 1);
            let is_hostile = settings.hostile.contains(&index);
            let hostile = is_hostile.then_some(settings.hostile_kind);
            let part = Part::Miner { stage: settings.stage_of(index), hostile };
            Member { hotkey: key(&name), name, part }
        });
        Self {
            owner: key("owner"),
            owner_hotkey: key("owner/hotkey"),
            miners: key("miners"),
            validators: key("validators"),
            members: validators.chain(miners).collect(),
        }
    }

    /// The coldkey that registers a member and pays for it.
    pub fn coldkey_of(&self, member: &Member) -> &Keypair {
        match member.part {
            Part::Miner { .. } => &self.miners.pair,
            Part::Validator => &self.validators.pair,
        }
    }

    /// Members that are validators.
    pub fn validators(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.part == Part::Validator)
    }

    /// The stage of each miner, by public key, as the manifest pins them.
    pub fn pins(&self) -> Vec<([u8; 32], u16)> {
        let pins = self.members.iter().filter_map(|member| match member.part {
            Part::Miner { stage, .. } => Some((member.hotkey.public(), stage)),
            Part::Validator => None,
        });
        pins.collect()
    }

    /// Writes everybody's keys as wallet files.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write_wallets(&self, folder: &Path) -> Result<(), WalletError> {
        for (name, key) in
            [(OWNER, &self.owner), (MINERS, &self.miners), (VALIDATORS, &self.validators)]
        {
            Wallet::new(folder, name).create_coldkey(&key.seed)?;
        }
        Wallet::new(folder, OWNER).create_hotkey("default", &self.owner_hotkey.seed)?;
        for member in &self.members {
            let wallet = Wallet::new(folder, member.wallet());
            wallet.create_hotkey(&member.name, &member.hotkey.seed)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn cast(line: &str) -> Cast {
        let line = format!("iota demo {line}");
        let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
        let Command::Demo(args) = cli.command else { panic!("no demo: {line}") };
        Cast::new(&DemoSettings::new(&args).unwrap())
    }

    #[test]
    fn keys_follow_from_the_seed_and_differ_from_one_another() {
        let keys = |line| -> Vec<[u8; 32]> {
            cast(line).members.iter().map(|member| member.hotkey.public()).collect()
        };
        assert_eq!(keys("--seed 3"), keys("--seed 3 --hostile 0"));
        assert_ne!(keys("--seed 3"), keys("--seed 4"));
        let mut all = keys("");
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 8);
    }

    #[test]
    fn every_miner_is_pinned_and_each_stage_has_two() {
        let mut stages: Vec<u16> = cast("").pins().iter().map(|(_, stage)| *stage).collect();
        stages.sort_unstable();
        assert_eq!(stages, [0, 0, 1, 1, 2, 2]);
    }

    #[test]
    fn wallet_files_hold_the_members_keys() {
        let folder = tempfile::tempdir().unwrap();
        let cast = cast("");
        cast.write_wallets(folder.path()).unwrap();
        for member in &cast.members {
            let wallet = Wallet::new(folder.path(), member.wallet());
            let read = wallet.hotkey(&member.name, None).unwrap();
            assert_eq!(read.public(), member.hotkey.public(), "{}", member.name);
        }
    }
}
