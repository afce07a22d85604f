//! One field of a commitment, in the chain's own encoding.
//!
//! A leading byte tells the kind: 0 nothing; 1 to 129 raw bytes, one more than their count and
//! without a further length; 130 to 133 hashes; 134 a timelocked blob; 135 a flag; 136 a longer
//! blob. The metadata shows each raw length as a variant of its own.

use codec::{Decode, DecodeWithMemTracking, Encode, EncodeLike, Error, Input, Output};
use frame_support::{BoundedVec, traits::ConstU32};
use scale_info::{
    Path, Type, TypeInfo,
    build::{Fields, Variants},
};

/// Bytes of a longer blob.
type Big = BoundedVec<u8, ConstU32<512>>;
/// Bytes of a timelocked blob.
type Sealed = BoundedVec<u8, ConstU32<1024>>;

/// One field of a commitment.
#[derive(Clone, Debug, Default, Eq, PartialEq, DecodeWithMemTracking)]
pub enum Data {
    /// Nothing.
    #[default]
    None,
    /// Up to 128 bytes.
    Raw(BoundedVec<u8, ConstU32<128>>),
    /// BLAKE2 hash of data kept elsewhere.
    BlakeTwo256([u8; 32]),
    /// SHA-256 hash of data kept elsewhere.
    Sha256([u8; 32]),
    /// Keccak-256 hash of data kept elsewhere.
    Keccak256([u8; 32]),
    /// SHA3-256 hash of data kept elsewhere.
    ShaThree256([u8; 32]),
    /// A blob to be opened with a later pulse of the beacon.
    TimelockEncrypted {
        /// The blob.
        encrypted: Sealed,
        /// The pulse.
        reveal_round: u64,
    },
    /// Asks for a reset of bonds.
    ResetBondsFlag,
    /// Up to 512 bytes.
    BigRaw(Big),
}

impl Data {
    /// What counts against the space limit, in bytes.
    pub(super) fn charged_bytes(&self) -> u64 {
        let bytes = match self {
            Self::None | Self::ResetBondsFlag => 0,
            Self::Raw(bytes) => bytes.len(),
            Self::BigRaw(bytes) => bytes.len(),
            Self::TimelockEncrypted { encrypted, .. } => encrypted.len(),
            Self::BlakeTwo256(hash)
            | Self::Sha256(hash)
            | Self::Keccak256(hash)
            | Self::ShaThree256(hash) => hash.len(),
        };
        bytes as u64
    }
}

impl Encode for Data {
    fn encode_to<O: Output + ?Sized>(&self, out: &mut O) {
        match self {
            Self::None => out.push_byte(0),
            Self::Raw(bytes) => {
                out.push_byte(bytes.len() as u8 + 1);
                out.write(bytes);
            }
            Self::BlakeTwo256(hash) => (130_u8, hash).encode_to(out),
            Self::Sha256(hash) => (131_u8, hash).encode_to(out),
            Self::Keccak256(hash) => (132_u8, hash).encode_to(out),
            Self::ShaThree256(hash) => (133_u8, hash).encode_to(out),
            Self::TimelockEncrypted { encrypted, reveal_round } => {
                (134_u8, encrypted, reveal_round).encode_to(out);
            }
            Self::ResetBondsFlag => out.push_byte(135),
            Self::BigRaw(bytes) => (136_u8, bytes).encode_to(out),
        }
    }
}

impl EncodeLike for Data {}

impl Decode for Data {
    fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
        Ok(match input.read_byte()? {
            0 => Self::None,
            tag @ 1..=129 => {
                let mut bytes = vec![0; usize::from(tag) - 1];
                input.read(&mut bytes)?;
                Self::Raw(BoundedVec::truncate_from(bytes))
            }
            130 => Self::BlakeTwo256(Decode::decode(input)?),
            131 => Self::Sha256(Decode::decode(input)?),
            132 => Self::Keccak256(Decode::decode(input)?),
            133 => Self::ShaThree256(Decode::decode(input)?),
            134 => Self::TimelockEncrypted {
                encrypted: Decode::decode(input)?,
                reveal_round: Decode::decode(input)?,
            },
            135 => Self::ResetBondsFlag,
            136 => Self::BigRaw(Decode::decode(input)?),
            _ => return Err("no such kind of commitment field".into()),
        })
    }
}

/// Adds the variants `Raw0` to `Raw128`.
macro_rules! raw_variants {
    ($variants:expr, $($size:literal),*) => {
        $variants$(
            .variant(concat!("Raw", stringify!($size)), |v| {
                v.index($size + 1).fields(Fields::unnamed().field(|f| f.ty::<[u8; $size]>()))
            })
        )*
    };
}

impl TypeInfo for Data {
    type Identity = Self;

    fn type_info() -> Type {
        let variants = Variants::new().variant("None", |v| v.index(0));
        #[rustfmt::skip]
        let mut variants = raw_variants!(
            variants,
            0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22,
            23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
            44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64,
            65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85,
            86, 87, 88, 89, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101, 102, 103, 104,
            105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121,
            122, 123, 124, 125, 126, 127, 128
        );
        for (index, name) in (130..).zip(["BlakeTwo256", "Sha256", "Keccak256", "ShaThree256"]) {
            variants = variants.variant(name, |v| {
                v.index(index).fields(Fields::unnamed().field(|f| f.ty::<[u8; 32]>()))
            });
        }
        let variants = variants
            .variant("TimelockEncrypted", |v| {
                v.index(134).fields(
                    Fields::named()
                        .field(|f| f.name("encrypted").ty::<Sealed>())
                        .field(|f| f.name("reveal_round").ty::<u64>()),
                )
            })
            .variant("ResetBondsFlag", |v| v.index(135))
            .variant("BigRaw", |v| v.index(136).fields(Fields::unnamed().field(|f| f.ty::<Big>())));
        Type::builder().path(Path::new("Data", "pallet_commitments::types")).variant(variants)
    }
}

/// A commitment: up to three fields.
#[derive(Clone, Debug, Default, Eq, PartialEq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct CommitmentInfo {
    /// The fields.
    pub fields: BoundedVec<Data, ConstU32<3>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_as_the_real_chain_does() {
        let raw = |bytes: &[u8]| Data::Raw(BoundedVec::truncate_from(bytes.to_vec()));
        let big = Data::BigRaw(BoundedVec::truncate_from(vec![7; 200]));
        for (data, head) in [
            (Data::None, vec![0]),
            (raw(b""), vec![1]),
            (raw(b"ab"), vec![3, b'a', b'b']),
            (raw(&[9; 128]), vec![129, 9]),
            (Data::Sha256([1; 32]), vec![131, 1]),
            (Data::ResetBondsFlag, vec![135]),
            (big, vec![136, 0x21, 0x03, 7]),
        ] {
            let bytes = data.encode();
            assert!(bytes.starts_with(&head), "{bytes:?}");
            assert_eq!(Data::decode(&mut &bytes[..]), Ok(data));
        }
        assert!(Data::decode(&mut &[137_u8][..]).is_err());
        assert!(Data::decode(&mut &[10_u8, 1][..]).is_err());
        let too_big = (136_u8, vec![0_u8; 513]).encode();
        assert!(Data::decode(&mut &too_big[..]).is_err());
    }
}
