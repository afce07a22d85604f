//! What [`check`] says of chains that differ, made from the real chain's metadata.

use codec::{Decode, Encode};
use frame_metadata::v15::RuntimeMetadataV15;
use frame_metadata::{RuntimeMetadata, RuntimeMetadataPrefixed};
use scale_info::TypeDef;

use super::*;

/// Metadata of spec 461, encoded.
fn spec461() -> Vec<u8> {
    let packed = include_bytes!("../fixtures/spec461.scale.zst");
    zstd::decode_all(&packed[..]).unwrap()
}

/// What is reported of the real chain after a change to it.
fn report(change: impl FnOnce(&mut RuntimeMetadataV15)) -> Report {
    let decoded = RuntimeMetadataPrefixed::decode(&mut &spec461()[..]).unwrap();
    let RuntimeMetadata::V15(mut metadata) = decoded.1 else { panic!("version 15") };
    change(&mut metadata);
    let encoded = RuntimeMetadataPrefixed::from(metadata).encode();
    check(&parse(&encoded).unwrap())
}

/// Changes the calls of a pallet.
fn edit(
    metadata: &mut RuntimeMetadataV15,
    pallet: &str,
    change: impl FnOnce(&mut Vec<scale_info::Variant<scale_info::form::PortableForm>>),
) {
    let pallet = metadata.pallets.iter().find(|found| found.name == pallet).unwrap();
    let id = pallet.calls.as_ref().unwrap().ty.id;
    let found = metadata.types.types.iter_mut().find(|found| found.id == id).unwrap();
    if let TypeDef::Variant(calls) = &mut found.ty.type_def {
        change(&mut calls.variants);
    }
}

#[test]
fn the_real_chain_has_all_that_is_relied_on() {
    assert_eq!(report(|_| {}), Report::default());
}

#[test]
fn calls_that_only_moved_are_no_gap() {
    let report = report(|metadata| {
        edit(metadata, "SubtensorModule", |calls| {
            calls.reverse();
            calls.iter_mut().for_each(|call| call.index ^= 1);
        });
        metadata.pallets.reverse();
    });
    assert_eq!(report, Report::default());
}

#[test]
fn a_gap_names_what_it_disables() {
    let renamed = report(|metadata| {
        edit(metadata, "SubtensorModule", |calls| {
            let call = calls.iter_mut().find(|call| call.name == "serve_axon").unwrap();
            call.name = "serve_axon_v2".to_owned();
        });
    });
    assert_eq!(
        renamed.to_string(),
        "- SubtensorModule.serve_axon: missing (disables being found by peers)"
    );
    assert!(!renamed.is_fatal());

    let longer = report(|metadata| {
        edit(metadata, "Balances", |calls| {
            let call = calls.iter_mut().find(|call| call.name == "transfer_keep_alive").unwrap();
            let more = call.fields[0].clone();
            call.fields.push(more);
        });
    });
    assert_eq!(
        longer.to_string(),
        "- Balances.transfer_keep_alive: takes 3 arguments, expected 2 (disables transfers)"
    );
}

#[test]
fn a_pallet_or_runtime_api_that_is_gone_leaves_every_gap() {
    let without = report(|metadata| metadata.pallets.retain(|pallet| pallet.name != "Drand"));
    let missing: Vec<&str> = without.gaps.iter().map(|gap| gap.what.as_str()).collect();
    assert!(missing.contains(&"Drand.Pulses") && missing.contains(&"Drand.BeaconConfig"));
    assert!(missing.iter().all(|what| what.starts_with("Drand.")), "{missing:?}");
    assert!(!without.is_fatal());

    let blind = report(|metadata| {
        metadata.apis.retain(|api| api.name != "NeuronInfoRuntimeApi");
    });
    assert!(!blind.is_fatal() && blind.to_string().contains("get_neurons_lite"), "{blind}");
    let silent = report(|metadata| metadata.pallets.retain(|pallet| pallet.name != "Timestamp"));
    assert!(silent.is_fatal());
}

#[test]
fn metadata_is_read_as_files_hold_it() {
    let bytes = spec461();
    let hex = hex::encode(&bytes);
    // A runtime's answer: an option of a list of bytes.
    let answer = Some(bytes.clone()).encode();
    let json = format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"0x{hex}\"}}");
    for form in [bytes.clone(), answer, hex.clone().into_bytes(), json.into_bytes()] {
        assert_eq!(check(&parse(&form).unwrap()), Report::default());
    }
    for wrong in [
        &b""[..],
        b"metadata",
        &bytes[..bytes.len() / 2],
        &[&b"meta\x0e"[..], &bytes[5..]].concat(),
    ] {
        parse(wrong).map(|_| ()).unwrap_err();
    }
}
