//! The metadata, as clients of the real chain read it.

use codec::Decode;
use frame_metadata::{RuntimeMetadata, RuntimeMetadataPrefixed, v14, v15};
use iota_localnet::{Chain, Config};
use scale_info::PortableRegistry;

/// The metadata in a version, through the runtime API.
fn metadata(version: u32) -> RuntimeMetadata {
    let chain = Chain::new(&Config::test()).unwrap();
    let arguments = version.to_le_bytes();
    let answer = chain.call("Metadata_metadata_at_version", &arguments, None).unwrap();
    let bytes = Option::<Vec<u8>>::decode(&mut &answer[..]).unwrap().unwrap();
    RuntimeMetadataPrefixed::decode(&mut &bytes[..]).unwrap().1
}

fn v14() -> v14::RuntimeMetadataV14 {
    match metadata(14) {
        RuntimeMetadata::V14(metadata) => metadata,
        other => panic!("version {}", other.version()),
    }
}

fn v15() -> v15::RuntimeMetadataV15 {
    match metadata(15) {
        RuntimeMetadata::V15(metadata) => metadata,
        other => panic!("version {}", other.version()),
    }
}

fn path(types: &PortableRegistry, id: u32) -> String {
    types.resolve(id).unwrap().path.segments.join("::")
}

#[test]
fn a_storage_types_number_is_the_same_in_both_versions() {
    let (old, new) = (v14(), v15());
    assert_eq!(path(&old.types, 0), "sp_core::crypto::AccountId32");
    for (old_pallet, new_pallet) in old.pallets.iter().zip(&new.pallets) {
        assert_eq!(old_pallet.name, new_pallet.name);
        let entries = |entries: &[v14::StorageEntryMetadata<scale_info::form::PortableForm>]| {
            entries.iter().map(|entry| (entry.name.clone(), entry.ty.clone())).collect::<Vec<_>>()
        };
        let (Some(old), Some(new)) = (&old_pallet.storage, &new_pallet.storage) else { continue };
        assert_eq!(entries(&old.entries), entries(&new.entries), "{}", old_pallet.name);
    }
}

#[test]
fn types_have_the_real_chains_paths() {
    let metadata = v15();
    assert_eq!(
        path(&metadata.types, metadata.outer_enums.event_enum_ty.id),
        "node_subtensor_runtime::RuntimeEvent"
    );
    assert_eq!(
        path(&metadata.types, metadata.outer_enums.call_enum_ty.id),
        "node_subtensor_runtime::RuntimeCall"
    );
    let paths: Vec<String> =
        metadata.types.types.iter().map(|portable| portable.ty.path.segments.join("::")).collect();
    assert!(paths.iter().any(|path| path == "pallet_subtensor::pallet::Call"));
    assert!(!paths.iter().any(|path| path.starts_with("iota")), "{paths:?}");
}

#[test]
fn pallets_have_the_real_chains_indices() {
    let indices: Vec<(String, u8)> =
        v15().pallets.iter().map(|pallet| (pallet.name.clone(), pallet.index)).collect();
    let expected = [
        ("System", 0),
        ("Timestamp", 2),
        ("Aura", 3),
        ("Balances", 5),
        ("TransactionPayment", 6),
        ("SubtensorModule", 7),
        ("Utility", 11),
        ("Sudo", 12),
        ("Commitments", 18),
        ("AdminUtils", 19),
        ("Drand", 26),
        ("Swap", 28),
        ("MevShield", 30),
    ];
    assert_eq!(indices, expected.map(|(name, index)| (name.to_owned(), index)));
}
