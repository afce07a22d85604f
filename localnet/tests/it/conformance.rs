//! The interface beside the real chain's: its metadata of spec 461 (`metadata/fixtures`), name by name.
//!
//! What is here must be there under the same index, with the same arguments, hashers and types, where
//! a newtype is as good as what it wraps: this chain has `NetUid` and amounts as plain numbers.

use codec::Decode;
use frame_metadata::v15::{
    PalletMetadata, RuntimeMetadataV15, StorageEntryMetadata, StorageEntryType,
};
use frame_metadata::{RuntimeMetadata, RuntimeMetadataPrefixed};
use iota_localnet::{Chain, Config};
use scale_info::form::PortableForm;
use scale_info::{PortableRegistry, TypeDef, TypeDefPrimitive, Variant};

/// What differs on purpose.
const KNOWN: [&str; 18] = [
    // The FRAME here is newer than the one the real chain is built on.
    "System event.CodeUpdated: ",
    "System.BlockSize: ",
    "System.BlocksTillUpgrade: ",
    "Aura.SlotMillis: ",
    "Balances event.",
    "Balances.Holds: ",
    "TransactionPayment.TxPaymentCredit: ",
    // Origins of pallets that are left out.
    "Utility call.dispatch_as: ",
    "Utility call.dispatch_as_fallible: ",
    // There in spec 425, or read by clients of one of the two.
    "SubtensorModule.NetworkLastRegistered: ",
    "SubtensorModule.RootClaimType: ",
    "SubtensorModule.SubnetEpochConsensus: ",
    "Swap.AlphaSqrtPrice: ",
    // One more kind of field there.
    "Commitments call.set_commitment: ",
    "Commitments.CommitmentOf: ",
    // In the SDK's calls but not in the recorded metadata.
    "SubtensorModule call.pow_register: ",
    // This chain's own.
    "Drand.Seed: ",
    "MevShield",
];
/// The first of the Subtensor pallet's errors that spec 461 has moved.
const MOVED: u8 = 96;
/// Types of the whole runtime: what is in them is compared pallet by pallet.
const OUTER: [&str; 2] = ["RuntimeCall", "RuntimeEvent"];
/// Types inside types that are followed.
const DEPTH: usize = 12;

type Pallet = PalletMetadata<PortableForm>;

fn v15(bytes: &[u8]) -> RuntimeMetadataV15 {
    match RuntimeMetadataPrefixed::decode(&mut &bytes[..]).unwrap().1 {
        RuntimeMetadata::V15(metadata) => metadata,
        other => panic!("version {}", other.version()),
    }
}

fn theirs() -> RuntimeMetadataV15 {
    let packed = include_bytes!("../../../metadata/fixtures/spec461.scale.zst");
    v15(&zstd::decode_all(&packed[..]).unwrap())
}

fn ours() -> RuntimeMetadataV15 {
    let chain = Chain::new(&Config::test()).unwrap();
    let answer = chain.call("Metadata_metadata_at_version", &15u32.to_le_bytes(), None).unwrap();
    v15(&Option::<Vec<u8>>::decode(&mut &answer[..]).unwrap().unwrap())
}

/// A type as bytes see it: newtypes are what they wrap.
fn shape(types: &PortableRegistry, id: u32, depth: usize) -> String {
    let found = types.resolve(id).unwrap();
    if depth == 0 || found.path.segments.last().is_some_and(|name| OUTER.contains(&name.as_str())) {
        return "..".to_owned();
    }
    let inner = |id| shape(types, id, depth - 1);
    match &found.type_def {
        TypeDef::Composite(it) => match &it.fields[..] {
            [only] => inner(only.ty.id),
            fields => fields.iter().map(|field| inner(field.ty.id)).collect::<Vec<_>>().join(","),
        },
        TypeDef::Variant(it) => {
            let variant = |variant: &Variant<PortableForm>| {
                let fields: Vec<_> = variant.fields.iter().map(|it| inner(it.ty.id)).collect();
                format!("{}={}({})", variant.name, variant.index, fields.join(","))
            };
            it.variants.iter().map(variant).collect::<Vec<_>>().join("|")
        }
        TypeDef::Sequence(it) => format!("[{}]", inner(it.type_param.id)),
        TypeDef::Array(it) => format!("[{};{}]", inner(it.type_param.id), it.len),
        TypeDef::Tuple(it) => {
            let fields: Vec<_> = it.fields.iter().map(|field| inner(field.id)).collect();
            format!("({})", fields.join(","))
        }
        TypeDef::Primitive(TypeDefPrimitive::Str) => "[U8]".to_owned(),
        TypeDef::Primitive(primitive) => format!("{primitive:?}"),
        TypeDef::Compact(it) => format!("compact {}", inner(it.type_param.id)),
        TypeDef::BitSequence(_) => "bits".to_owned(),
    }
}

fn variants(types: &PortableRegistry, id: u32) -> &[Variant<PortableForm>] {
    match &types.resolve(id).unwrap().type_def {
        TypeDef::Variant(it) => &it.variants,
        other => panic!("{other:?}"),
    }
}

/// Ours that are not as theirs; `label` says what of.
fn compare_variants(
    (ours, our_id): (&PortableRegistry, u32),
    (theirs, their_id): (&PortableRegistry, u32),
    label: &str,
    has_moved: impl Fn(&Variant<PortableForm>) -> bool,
    wrong: &mut Vec<String>,
) {
    let all = variants(theirs, their_id);
    for our in variants(ours, our_id) {
        let name = format!("{label}.{}", our.name);
        let Some(their) = all.iter().find(|their| their.name == our.name) else {
            wrong.push(format!("{name}: not there"));
            continue;
        };
        if our.index != their.index && !has_moved(their) {
            wrong.push(format!("{name}: index {} instead of {}", our.index, their.index));
        }
        let describe = |types: &PortableRegistry, variant: &Variant<PortableForm>| {
            let field = |field: &scale_info::Field<PortableForm>| {
                let name = field.name.clone().unwrap_or_default();
                format!("{name}: {}", shape(types, field.ty.id, DEPTH))
            };
            variant.fields.iter().map(field).collect::<Vec<_>>().join(", ")
        };
        let (our, their) = (describe(ours, our), describe(theirs, their));
        if our != their {
            wrong.push(format!("{name}: {our}\n    instead of {their}"));
        }
    }
}

fn describe_entry(types: &PortableRegistry, entry: &StorageEntryMetadata<PortableForm>) -> String {
    let shape = |id| shape(types, id, DEPTH);
    match &entry.ty {
        StorageEntryType::Plain(value) => format!("{:?} {}", entry.modifier, shape(value.id)),
        StorageEntryType::Map { hashers, key, value } => {
            let (key, value) = (shape(key.id), shape(value.id));
            format!("{:?} {hashers:?} {key} -> {value}", entry.modifier)
        }
    }
}

fn compare_storage(
    (ours, our): (&PortableRegistry, &Pallet),
    (theirs, their): (&PortableRegistry, &Pallet),
    wrong: &mut Vec<String>,
) {
    let Some((our, their)) = our.storage.as_ref().zip(their.storage.as_ref()) else { return };
    assert_eq!(our.prefix, their.prefix);
    for entry in &our.entries {
        let name = format!("{}.{}", our.prefix, entry.name);
        match their.entries.iter().find(|their| their.name == entry.name) {
            None => wrong.push(format!("{name}: not there")),
            Some(their) => {
                let (our, their) = (describe_entry(ours, entry), describe_entry(theirs, their));
                if our != their {
                    wrong.push(format!("{name}: {our}\n    instead of {their}"));
                }
            }
        }
    }
}

#[test]
fn what_is_here_is_as_it_is_there() {
    let (ours, theirs) = (ours(), theirs());
    let (types, their_types) = (&ours.types, &theirs.types);
    let mut wrong = Vec::new();
    let mut compared = 0;
    for our in &ours.pallets {
        let Some(their) = theirs.pallets.iter().find(|their| their.name == our.name) else {
            continue;
        };
        compared += 1;
        let of = |what: &str| format!("{} {what}", our.name);
        let never = |_: &Variant<PortableForm>| false;
        if let Some((our, their)) = our.calls.as_ref().zip(their.calls.as_ref()) {
            let (our, their) = ((types, our.ty.id), (their_types, their.ty.id));
            compare_variants(our, their, &of("call"), never, &mut wrong);
        }
        if let Some((our, their)) = our.event.as_ref().zip(their.event.as_ref()) {
            let (our, their) = ((types, our.ty.id), (their_types, their.ty.id));
            compare_variants(our, their, &of("event"), never, &mut wrong);
        }
        if let Some((error, their)) = our.error.as_ref().zip(their.error.as_ref()) {
            let has_moved =
                |it: &Variant<PortableForm>| our.name == "SubtensorModule" && it.index >= MOVED;
            let (our, their) = ((types, error.ty.id), (their_types, their.ty.id));
            compare_variants(our, their, &of("error"), has_moved, &mut wrong);
        }
        compare_storage((types, our), (their_types, their), &mut wrong);
    }
    assert!(compared >= 11, "{compared} pallets");
    wrong.retain(|line| !KNOWN.iter().any(|known| line.starts_with(known)));
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
