//! What a hotkey has on chain: one slot of three fields, always rewritten whole.
//!
//! | field | who | content |
//! |---|---|---|
//! | 0 | owner | manifest hash |
//! | 1 | validators | member-set vote for the next epoch, veto list of the current one |
//! | 2 | miners | work commitment |
//!
//! Each field is SCALE behind a version byte, at most [`MAX_FIELD_BYTES`]; the chain stores it as raw
//! bytes (the `Commitments` pallet's `Data`). A field that does not decode is read as absent, so
//! that garbage in one of them hides no other.

use codec::{Decode, Encode};

use super::{Hash, bounded};

/// Longest field: the pallet's `BigRaw`.
pub const MAX_FIELD_BYTES: usize = 512;
/// Most miners of one veto list: what fits into a field.
pub const MAX_VETOES: usize = 12;
/// First byte of every field.
const LAYOUT: u8 = 1;

/// A validator's vote for an epoch's member set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct MembersVote {
    /// The epoch.
    pub epoch: u32,
    /// Hash of the set.
    pub hash: Hash,
}

/// Miners whose work a validator refuses.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Veto {
    /// The epoch of the work.
    pub epoch: u32,
    /// Uids with the hash of the evidence against each; at most [`MAX_VETOES`].
    pub miners: Vec<(u16, Hash)>,
}

/// What a miner did in an epoch, by hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct WorkCommitment {
    /// The epoch.
    pub epoch: u32,
    /// Root of the work log.
    pub log_root: Hash,
    /// Root of the pseudo-gradient's index.
    pub delta_root: Hash,
    /// Hash of the pseudo-gradient's block exponents.
    pub exponents_hash: Hash,
    /// Hash of what compression left over.
    pub residual_hash: Hash,
    /// Whether compression started from what the epoch before left over at this stage, by the
    /// miner's own commitment; else from zeros, as after a restart.
    pub carried: bool,
}

/// Everything a hotkey has committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commitment {
    /// The run's manifest (owner).
    pub manifest: Option<Hash>,
    /// The members voted for (validators).
    pub members: Option<MembersVote>,
    /// The work refused (validators).
    pub veto: Option<Veto>,
    /// The work done (miners).
    pub work: Option<WorkCommitment>,
}

impl Commitment {
    /// An owner's commitment.
    #[must_use]
    pub fn of_manifest(hash: Hash) -> Self {
        Self { manifest: Some(hash), ..Self::default() }
    }

    /// A miner's commitment.
    #[must_use]
    pub fn of_work(work: WorkCommitment) -> Self {
        Self { work: Some(work), ..Self::default() }
    }

    /// The same with this member-set vote.
    #[must_use]
    pub fn with_members(self, epoch: u32, hash: Hash) -> Self {
        Self { members: Some(MembersVote { epoch, hash }), ..self }
    }

    /// The same with this veto list, cut to [`MAX_VETOES`].
    #[must_use]
    pub fn with_veto(self, epoch: u32, mut miners: Vec<(u16, Hash)>) -> Self {
        miners.truncate(MAX_VETOES);
        Self { veto: Some(Veto { epoch, miners }), ..self }
    }

    /// The three fields; absent ones are `None`.
    #[must_use]
    pub fn fields(&self) -> [Option<Vec<u8>>; 3] {
        let validator = (self.members.is_some() || self.veto.is_some())
            .then(|| (LAYOUT, &self.members, &self.veto).encode());
        [
            self.manifest.map(|hash| (LAYOUT, hash).encode()),
            validator,
            self.work.map(|work| (LAYOUT, work).encode()),
        ]
    }

    /// Reads fields from the chain; missing, foreign and malformed ones are absent.
    #[must_use]
    pub fn from_fields(fields: &[Option<Vec<u8>>]) -> Self {
        let validator: Option<(Option<MembersVote>, Option<Veto>)> = field(fields, 1);
        let (members, veto) = validator.unwrap_or_default();
        Self {
            manifest: field(fields, 0),
            members,
            veto: veto.filter(|veto| veto.miners.len() <= MAX_VETOES),
            work: field(fields, 2),
        }
    }
}

fn field<T: Decode>(fields: &[Option<Vec<u8>>], index: usize) -> Option<T> {
    let bytes = fields.get(index)?.as_ref()?;
    let (layout, content): (u8, T) = bounded::decode(bytes, MAX_FIELD_BYTES).ok()?;
    (layout == LAYOUT).then_some(content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn full() -> Commitment {
        let work = WorkCommitment {
            epoch: 4,
            log_root: [1; 32],
            delta_root: [2; 32],
            exponents_hash: [3; 32],
            residual_hash: [4; 32],
            carried: true,
        };
        let vetoes = (0..20).map(|uid| (uid, [uid as u8; 32])).collect();
        Commitment { manifest: Some([9; 32]), ..Commitment::of_work(work) }
            .with_members(5, [6; 32])
            .with_veto(4, vetoes)
    }

    #[test]
    fn a_full_slot_round_trips_within_the_chains_limit() {
        let fields = full().fields();
        assert!(fields.iter().flatten().all(|field| field.len() <= MAX_FIELD_BYTES));
        assert_eq!(Commitment::from_fields(&fields), full());
        assert_eq!(full().veto.unwrap().miners.len(), MAX_VETOES);
    }

    #[test]
    fn an_empty_slot_is_empty_fields() {
        assert_eq!(Commitment::default().fields(), [None, None, None]);
        assert_eq!(Commitment::from_fields(&[]), Commitment::default());
    }

    #[test]
    fn garbage_in_one_field_hides_no_other() {
        let mut fields = full().fields();
        fields[1] = Some(vec![1, 2, 3]);
        let read = Commitment::from_fields(&fields);
        assert_eq!((read.members, read.veto), (None, None));
        assert_eq!(read.work, full().work);
    }

    #[test]
    fn another_layout_and_an_overlong_veto_list_are_read_as_absent() {
        let mut fields = full().fields();
        if let Some(work) = &mut fields[2] {
            work[0] = LAYOUT + 1;
        }
        assert_eq!(Commitment::from_fields(&fields).work, None);
        let miners = (0..=MAX_VETOES as u16).map(|uid| (uid, [0; 32])).collect();
        let long = Commitment { veto: Some(Veto { epoch: 4, miners }), ..full() };
        let read = Commitment::from_fields(&long.fields());
        assert_eq!((read.members, read.veto), (full().members, None));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(fields in prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..600)), 0..5)) {
            let _ = Commitment::from_fields(&fields);
        }
    }
}
