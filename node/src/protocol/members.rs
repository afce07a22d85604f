//! Members of an epoch: signed heartbeats, the set they form, and its election.
//!
//! A heartbeat says who wants to take part and what state it holds. Validators commit the hash of
//! the set they heard; the set committed by more than half of the eligible stake stands, and its
//! members cannot be ground, because the plan's seed is known only later.

use std::collections::{BTreeMap, BTreeSet};

use codec::{Decode, Encode};
use sp_core::{Pair, sr25519};

use super::choose::content_hash;
use super::{Hash, Hotkey, bounded};

/// Most members of one epoch.
pub const MAX_MEMBERS: usize = 4096;
/// Longest libp2p identity, in bytes.
const MAX_PEER_ID_BYTES: usize = 64;
/// Most addresses of a heartbeat, and bytes of one.
const MAX_ADDRESSES: usize = 4;
const MAX_ADDRESS_BYTES: usize = 128;
/// Most bytes of one encoded heartbeat.
const MAX_HEARTBEAT_BYTES: usize = 4096;
/// Most states of a heartbeat: the most stages that a manifest may have.
const MAX_STATES: usize = 64;
/// Most bytes of an encoded member set.
pub const MAX_MEMBER_SET_BYTES: usize = 8 + MAX_MEMBERS * MAX_HEARTBEAT_BYTES;

/// What a member does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum Role {
    /// Trains a stage.
    Miner,
    /// Audits and sets weights.
    Validator,
}

/// A node's statement that it takes part in an epoch.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Heartbeat {
    /// Who.
    pub hotkey: Hotkey,
    /// Its libp2p identity, as bytes.
    pub peer_id: Vec<u8>,
    /// Where it can be reached besides its axon.
    pub addresses: Vec<Vec<u8>>,
    /// What it does.
    pub role: Role,
    /// Claimed capacity class: each step doubles the throughput.
    pub capacity: u8,
    /// The stage it served last.
    pub stage: Option<u16>,
    /// Stages whose agreed state it holds and serves, with the state's root: a miner's own stage,
    /// and all that a validator computed.
    pub states: Vec<(u16, Hash)>,
    /// The epoch it is for.
    pub epoch: u32,
    /// Protocol version spoken.
    pub version: u32,
}

impl Heartbeat {
    /// The bytes that are signed: domain, run, statement.
    #[must_use]
    pub fn message(&self, manifest_hash: &Hash) -> Vec<u8> {
        (b"iota/heartbeat/1", manifest_hash, self).encode()
    }
}

/// A heartbeat with the hotkey's sr25519 signature.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SignedHeartbeat {
    /// The statement.
    pub body: Heartbeat,
    /// Signature of [`Heartbeat::message`].
    pub signature: [u8; 64],
}

impl SignedHeartbeat {
    /// Whether it keeps the size limits and is signed by its hotkey for this run.
    #[must_use]
    pub fn verify(&self, manifest_hash: &Hash) -> bool {
        let body = &self.body;
        let bounded = body.peer_id.len() <= MAX_PEER_ID_BYTES
            && body.states.len() <= MAX_STATES
            && body.addresses.len() <= MAX_ADDRESSES
            && body.addresses.iter().all(|address| address.len() <= MAX_ADDRESS_BYTES);
        let signature = sr25519::Signature::from_raw(self.signature);
        let public = sr25519::Public::from_raw(body.hotkey);
        bounded && sr25519::Pair::verify(&signature, body.message(manifest_hash), &public)
    }
}

/// The members of an epoch, sorted by hotkey, one heartbeat each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberSet {
    members: Vec<SignedHeartbeat>,
}

/// Why bytes are no member set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MemberError {
    /// Too long or malformed.
    #[error(transparent)]
    Decode(#[from] bounded::DecodeError),
    /// Not strictly ascending by hotkey, or of several epochs.
    #[error("members are not sorted, not distinct or of several epochs")]
    Order,
    /// A heartbeat that its hotkey did not sign.
    #[error("the heartbeat of member {0} is not signed by it")]
    Unsigned(usize),
}

impl MemberSet {
    /// The set of these heartbeats, in any order. Who said two different things is left out; of
    /// more than [`MAX_MEMBERS`] the lowest hotkeys stay. sr25519 signatures are randomised: of two
    /// under the same words the lower one is kept, so that all who heard both agree.
    #[must_use]
    pub fn new(heartbeats: impl IntoIterator<Item = SignedHeartbeat>) -> Self {
        let mut by_hotkey: BTreeMap<Hotkey, Vec<SignedHeartbeat>> = BTreeMap::new();
        for heartbeat in heartbeats {
            let said = by_hotkey.entry(heartbeat.body.hotkey).or_default();
            if let Some(known) = said.iter_mut().find(|known| known.body == heartbeat.body) {
                known.signature = known.signature.min(heartbeat.signature);
            } else if said.len() < 2 {
                said.push(heartbeat);
            }
        }
        let consistent = by_hotkey.into_values().filter(|said| said.len() == 1).flatten();
        Self { members: consistent.take(MAX_MEMBERS).collect() }
    }

    /// BLAKE3 of [`MemberSet::encode`]: the name under which committers serve the set.
    #[must_use]
    pub fn hash(&self) -> Hash {
        content_hash(&self.encode())
    }

    /// SCALE bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.members.encode()
    }

    /// Decodes a set from a peer and checks every signature.
    ///
    /// # Errors
    /// [`MemberError`] for anything but a sorted set of signed heartbeats of one epoch.
    pub fn decode(bytes: &[u8], manifest_hash: &Hash) -> Result<Self, MemberError> {
        let members: Vec<SignedHeartbeat> = bounded::decode(bytes, MAX_MEMBER_SET_BYTES)?;
        bounded::at_most("members", members.len(), MAX_MEMBERS)?;
        let ordered = members.windows(2).all(|pair| {
            pair[0].body.hotkey < pair[1].body.hotkey && pair[0].body.epoch == pair[1].body.epoch
        });
        if !ordered {
            return Err(MemberError::Order);
        }
        match members.iter().position(|member| !member.verify(manifest_hash)) {
            Some(index) => Err(MemberError::Unsigned(index)),
            None => Ok(Self { members }),
        }
    }

    /// The members in order.
    pub fn iter(&self) -> impl Iterator<Item = &SignedHeartbeat> {
        self.members.iter()
    }

    /// The set without some hotkeys.
    #[must_use]
    pub fn without(&self, excluded: &BTreeSet<Hotkey>) -> Self {
        let stays = |member: &&SignedHeartbeat| !excluded.contains(&member.body.hotkey);
        Self { members: self.members.iter().filter(stays).cloned().collect() }
    }
}

/// A validator whose word counts: a permit and the manifest's least stake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EligibleValidator {
    /// Who.
    pub hotkey: Hotkey,
    /// Stake in rao.
    pub stake: u64,
}

/// The hash that validators with more than half of the eligible stake committed, if any.
#[must_use]
pub fn elect(validators: &[EligibleValidator], votes: &[(Hotkey, Hash)]) -> Option<Hash> {
    let total: u128 = validators.iter().map(|validator| u128::from(validator.stake)).sum();
    let votes: BTreeMap<Hotkey, Hash> = votes.iter().copied().collect();
    let mut stakes: BTreeMap<Hash, u128> = BTreeMap::new();
    for validator in validators {
        if let Some(hash) = votes.get(&validator.hotkey) {
            *stakes.entry(*hash).or_default() += u128::from(validator.stake);
        }
    }
    stakes.into_iter().find(|(_, stake)| stake * 2 > total).map(|(hash, _)| hash)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A signed heartbeat of the key derived from a number.
    pub(in crate::protocol) fn heartbeat(
        key: u8,
        change: impl Fn(&mut Heartbeat),
    ) -> SignedHeartbeat {
        let pair = sr25519::Pair::from_seed(&[key; 32]);
        let mut body = Heartbeat {
            hotkey: pair.public().0,
            peer_id: vec![key],
            addresses: Vec::new(),
            role: Role::Miner,
            capacity: 0,
            stage: None,
            states: Vec::new(),
            epoch: 1,
            version: 1,
        };
        change(&mut body);
        let signature = pair.sign(&body.message(&[9; 32])).0;
        SignedHeartbeat { body, signature }
    }

    #[test]
    fn a_set_heard_in_any_order_with_any_signatures_has_one_name() {
        let heard: Vec<_> = (1..6).chain(1..6).map(|key| heartbeat(key, |_| {})).collect();
        let set = MemberSet::new(heard.clone());
        let again = MemberSet::new(heard.into_iter().rev());
        assert_eq!(set.iter().count(), 5);
        assert_eq!(set.hash(), again.hash());
    }

    #[test]
    fn a_set_is_served_under_the_hash_of_its_bytes() {
        let set = MemberSet::new((1..4).map(|key| heartbeat(key, |_| {})));
        assert_eq!(content_hash(&set.encode()), set.hash());
        assert_eq!(MemberSet::decode(&set.encode(), &[9; 32]), Ok(set));
    }

    #[test]
    fn equivocation_drops_the_equivocator_alone() {
        let set = MemberSet::new([
            heartbeat(1, |_| {}),
            heartbeat(2, |_| {}),
            heartbeat(2, |body| body.capacity = 3),
        ]);
        assert_eq!(set.iter().count(), 1);
    }

    #[test]
    fn forged_shuffled_and_foreign_sets_are_refused() {
        let good = [heartbeat(1, |_| {}), heartbeat(2, |_| {})];
        let set = MemberSet::new(good.clone());
        assert_eq!(MemberSet::decode(&set.encode(), &[8; 32]), Err(MemberError::Unsigned(0)));
        let mut members = set.members.clone();
        members.reverse();
        assert_eq!(MemberSet::decode(&members.encode(), &[9; 32]), Err(MemberError::Order));
        members.reverse();
        members[1].body.capacity = 9;
        assert_eq!(MemberSet::decode(&members.encode(), &[9; 32]), Err(MemberError::Unsigned(1)));
        let cut = &set.encode()[..40];
        assert!(matches!(MemberSet::decode(cut, &[9; 32]), Err(MemberError::Decode(_))));
    }

    #[test]
    fn an_oversized_peer_id_does_not_verify() {
        assert!(heartbeat(1, |_| {}).verify(&[9; 32]));
        assert!(!heartbeat(1, |body| body.peer_id = vec![0; 65]).verify(&[9; 32]));
    }

    #[test]
    fn a_set_needs_more_than_half_of_the_eligible_stake() {
        let validator = |key: u8, stake| EligibleValidator { hotkey: [key; 32], stake };
        let two = [validator(1, 10), validator(2, 10)];
        let vote = |key: u8, hash: u8| ([key; 32], [hash; 32]);
        assert_eq!(elect(&two, &[vote(1, 7), vote(2, 7)]), Some([7; 32]));
        assert_eq!(elect(&two, &[vote(1, 7), vote(2, 8)]), None);
        assert_eq!(elect(&two, &[vote(1, 7)]), None, "half is not more than half");
        assert_eq!(elect(&two, &[vote(1, 7), vote(3, 7)]), None, "others do not count");
        assert_eq!(elect(&[validator(1, 10), validator(2, 9)], &[vote(1, 7)]), Some([7; 32]));
        assert_eq!(elect(&[], &[vote(1, 7)]), None);
    }
}
