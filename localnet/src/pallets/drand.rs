//! `Drand`: the randomness beacon's pulses, as the real chain stores them.
//!
//! The real pallet fetches pulses of the public beacon and checks their signatures. This chain has
//! no network. Either it is a beacon of its own, whose key is drawn from a seed, and a pulse appears in
//! the first block whose time has reached it: so equal seeds give equal beacons, and who hides
//! weights must do so with the key in `BeaconConfig`. Or it has the public beacon's key, with which
//! the Python SDKs hide whatever the chain says, and pulses come when a developer brings them.
#![expect(missing_docs, reason = "the pallet macro expands to items that it leaves undocumented")]

pub use pallet::*;

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{BoundedVec, traits::ConstU32};
use scale_info::TypeInfo;

/// How many of the newest pulses are kept.
pub const KEPT_PULSES: u64 = 128;

/// A pulse of the beacon.
#[derive(
    Clone,
    Debug,
    Default,
    Eq,
    PartialEq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct Pulse {
    /// Its number, from 1.
    pub round: u64,
    /// 32 random bytes.
    pub randomness: BoundedVec<u8, ConstU32<32>>,
    /// The signature of the round, in compressed form.
    pub signature: BoundedVec<u8, ConstU32<144>>,
}

/// Names the beacon.
#[derive(
    Clone,
    Debug,
    Default,
    Eq,
    PartialEq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct Metadata {
    /// The beacon's name.
    pub beacon_id: BoundedVec<u8, ConstU32<32>>,
}

/// What defines the beacon.
#[derive(
    Clone,
    Debug,
    Default,
    Eq,
    PartialEq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct BeaconConfiguration {
    /// The key, in compressed form.
    pub public_key: BoundedVec<u8, ConstU32<96>>,
    /// Time between rounds, in seconds.
    pub period: u32,
    /// Unix time of round 1, in seconds.
    pub genesis_time: u32,
    /// Empty here.
    pub hash: BoundedVec<u8, ConstU32<32>>,
    /// Empty here.
    pub group_hash: BoundedVec<u8, ConstU32<32>>,
    /// Names the way of making pulses.
    pub scheme_id: BoundedVec<u8, ConstU32<32>>,
    /// The beacon's name.
    pub metadata: Metadata,
}

#[frame_support::pallet]
pub mod pallet {
    use super::{BeaconConfiguration, KEPT_PULSES, Metadata, Pulse};
    use crate::pallets::subtensor::Beacon;
    use core::{marker::PhantomData, ops::RangeInclusive};
    use frame_support::{pallet_prelude::*, traits::OnTimestampSet};
    use iota_timelock::{
        PublicKey, QUICKNET_GENESIS_S, QUICKNET_PERIOD_S, SecretKey, Signature, decrypt,
    };
    use sp_io::hashing::sha2_256;
    use std::thread::{self, available_parallelism};

    #[pallet::config]
    pub trait Config: frame_system::Config {}

    #[pallet::pallet]
    pub struct Pallet<T>(_);

    /// What defines the beacon.
    #[pallet::storage]
    pub type BeaconConfig<T> = StorageValue<_, BeaconConfiguration, ValueQuery>;

    /// Pulses by round.
    #[pallet::storage]
    pub type Pulses<T> = StorageMap<_, Blake2_128Concat, u64, Pulse, OptionQuery>;

    /// Round of the newest pulse, 0 for none.
    #[pallet::storage]
    pub type LastStoredRound<T> = StorageValue<_, u64, ValueQuery>;

    /// Round of the oldest pulse kept, 0 for none.
    #[pallet::storage]
    pub type OldestStoredRound<T> = StorageValue<_, u64, ValueQuery>;

    /// From what pulses are made, where the chain makes them. Not on the real chain.
    #[pallet::storage]
    pub type Seed<T> = StorageValue<_, [u8; 32], OptionQuery>;

    #[pallet::error]
    pub enum Error<T> {
        /// The signature is not the beacon's of that round.
        #[codec(index = 5)]
        PulseVerificationError,
        /// The pulse is not newer than the newest one.
        #[codec(index = 4)]
        InvalidRoundNumber,
    }

    #[pallet::genesis_config]
    pub struct GenesisConfig<T> {
        /// From what pulses are made; none for the public beacon, whose pulses are brought.
        pub seed: Option<[u8; 32]>,
        /// Unix time of round 1, in seconds.
        pub genesis_time: u32,
        /// Time between rounds, in seconds.
        pub period: u32,
        #[serde(skip)]
        pub _marker: PhantomData<T>,
    }

    impl<T> Default for GenesisConfig<T> {
        fn default() -> Self {
            Self { seed: Some([0; 32]), genesis_time: 0, period: 1, _marker: PhantomData }
        }
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            Seed::<T>::set(self.seed);
            let own = self.seed.map(|seed| SecretKey::from_seed(seed).public());
            let key = own.unwrap_or_else(PublicKey::quicknet).to_bytes();
            let name: &[u8] = if own.is_some() { b"localnet" } else { b"quicknet" };
            BeaconConfig::<T>::put(BeaconConfiguration {
                public_key: BoundedVec::truncate_from(key.to_vec()),
                period: if own.is_some() { self.period.max(1) } else { QUICKNET_PERIOD_S as u32 },
                genesis_time: if own.is_some() {
                    self.genesis_time
                } else {
                    QUICKNET_GENESIS_S as u32
                },
                scheme_id: BoundedVec::truncate_from(b"bls-unchained-g1-rfc9380".to_vec()),
                metadata: Metadata { beacon_id: BoundedVec::truncate_from(name.to_vec()) },
                ..BeaconConfiguration::default()
            });
        }
    }

    impl<T: Config> Pallet<T> {
        /// Stores a pulse that a developer brings.
        ///
        /// # Errors
        /// If it is not the beacon's, or not newer than the newest.
        pub fn bring(round: u64, signature: &[u8]) -> DispatchResult {
            let last = LastStoredRound::<T>::get();
            ensure!(round > last, Error::<T>::InvalidRoundNumber);
            let key = PublicKey::from_bytes(&BeaconConfig::<T>::get().public_key);
            let signed = key.ok().zip(Signature::from_bytes(signature).ok());
            let (_, signature) = signed
                .filter(|(key, signature)| key.verifies(round, signature))
                .ok_or(Error::<T>::PulseVerificationError)?;
            Pulses::<T>::insert(round, Self::pulse(round, signature));
            LastStoredRound::<T>::put(round);
            if OldestStoredRound::<T>::get() == 0 {
                OldestStoredRound::<T>::put(round);
            }
            Ok(())
        }

        /// The pulse of a round: its signature, and the hash of that.
        fn pulse(round: u64, signature: Signature) -> Pulse {
            let signature = signature.to_bytes();
            Pulse {
                round,
                randomness: BoundedVec::truncate_from(sha2_256(&signature).to_vec()),
                signature: BoundedVec::truncate_from(signature.to_vec()),
            }
        }

        /// The pulses of some rounds. Signing is most of the work of an empty block, so it is
        /// spread over the machine.
        fn pulses(key: &SecretKey, rounds: RangeInclusive<u64>) -> Vec<Pulse> {
            let rounds: Vec<u64> = rounds.collect();
            let threads = available_parallelism().map_or(1, usize::from);
            let share = rounds.len().div_ceil(threads).max(1);
            let sign = |rounds: &[u64]| -> Vec<Pulse> {
                rounds.iter().map(|round| Self::pulse(*round, key.sign(*round))).collect()
            };
            let (own, others) = rounds.split_at(share.min(rounds.len()));
            thread::scope(|scope| {
                let others: Vec<_> =
                    others.chunks(share).map(|part| scope.spawn(|| sign(part))).collect();
                let mut pulses = sign(own);
                for other in others {
                    pulses.extend(other.join().expect("signing does not panic"));
                }
                pulses
            })
        }
    }

    impl<T: Config> Beacon for Pallet<T> {
        fn newest_round() -> u64 {
            LastStoredRound::<T>::get()
        }

        fn open(round: u64, ciphertext: &[u8]) -> Option<Option<Vec<u8>>> {
            let pulse = Pulses::<T>::get(round)?;
            let signature = Signature::from_bytes(&pulse.signature).ok();
            Some(signature.and_then(|signature| decrypt(&signature, ciphertext).ok()))
        }
    }

    impl<T: Config> OnTimestampSet<u64> for Pallet<T> {
        /// Stores the pulses of the rounds that this time has reached.
        fn on_timestamp_set(now_ms: u64) {
            let Some(seed) = Seed::<T>::get() else { return };
            let config = BeaconConfig::<T>::get();
            let since = (now_ms / 1000).checked_sub(config.genesis_time.into());
            let Some(since) = since else { return };
            let newest = since / u64::from(config.period.max(1)) + 1;
            let last = LastStoredRound::<T>::get();
            let oldest = newest.saturating_sub(KEPT_PULSES - 1).max(1);
            let key = SecretKey::from_seed(seed);
            for pulse in Self::pulses(&key, oldest.max(last.saturating_add(1))..=newest) {
                Pulses::<T>::insert(pulse.round, pulse);
            }
            for round in OldestStoredRound::<T>::get()..oldest.min(last.saturating_add(1)) {
                Pulses::<T>::remove(round);
            }
            if newest > last {
                LastStoredRound::<T>::put(newest);
                OldestStoredRound::<T>::put(oldest);
            }
        }
    }
}
