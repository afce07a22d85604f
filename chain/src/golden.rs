//! Against the real chain's metadata (spec 461): what we send and read is byte for byte what the
//! Bittensor SDK sends and reads, also where a later runtime has moved things.

use frame_metadata::v15::RuntimeMetadataV15;
use frame_metadata::{RuntimeMetadata, RuntimeMetadataPrefixed};
use scale_info::{TypeDef, TypeDefVariant, form::PortableForm};
use serde_json::Value as Json;
use sp_crypto_hashing::blake2_256;
use subxt::client::{OfflineClient, OfflineClientAtBlockImpl};
use subxt::config::substrate::{SpecVersionForRange, SubstrateConfigBuilder};
use subxt::config::{DefaultExtrinsicParamsBuilder, SubstrateConfig};
use subxt::ext::scale_decode::DecodeAsType;
use subxt::utils::{AccountId32, H256, MultiSignature};
use subxt::{Metadata, dynamic};

use crate::neurons::NeuronLite;
use crate::{Argument, Call, Hyperparameter, from_ss58};

type At = subxt::client::ClientAtBlock<SubstrateConfig, OfflineClientAtBlockImpl<SubstrateConfig>>;

const SPEC: u32 = 461;

fn golden() -> Json {
    serde_json::from_str(include_str!("../tests/fixtures/golden461.json")).unwrap()
}

fn metadata() -> RuntimeMetadataV15 {
    let packed = include_bytes!("../../metadata/fixtures/spec461.scale.zst");
    let bytes = zstd::decode_all(&packed[..]).unwrap();
    let decoded = <RuntimeMetadataPrefixed as codec::Decode>::decode(&mut &bytes[..]).unwrap();
    match decoded.1 {
        RuntimeMetadata::V15(metadata) => metadata,
        other => panic!("version {}", other.version()),
    }
}

/// A client of a chain with this metadata.
fn client(metadata: RuntimeMetadataV15) -> At {
    let bytes = codec::Encode::encode(&RuntimeMetadataPrefixed::from(metadata));
    let metadata = Metadata::decode_from(&bytes).unwrap();
    let genesis = text(&golden()["network"]["genesis_hash"]);
    let range =
        SpecVersionForRange { block_range: 0..1_000, spec_version: SPEC, transaction_version: 1 };
    let config = SubstrateConfigBuilder::new()
        .set_genesis_hash(H256(hex(&genesis).try_into().unwrap()))
        .set_metadata_for_spec_versions([(SPEC, metadata.into())])
        .set_spec_version_for_block_ranges([range])
        .build();
    OfflineClient::new_with_config(config).at_block(66_u32).unwrap()
}

fn text(value: &Json) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

fn hex(text: &str) -> Vec<u8> {
    hex::decode(text.strip_prefix("0x").unwrap_or(text)).unwrap()
}

fn number(value: &Json) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no number: {value}"))
}

/// The bytes of a call on a chain.
fn encoded(at: &At, call: &Call) -> Vec<u8> {
    at.transactions().call_data(&call.payload()).unwrap_or_else(|error| panic!("{call:?}: {error}"))
}

/// The call of a golden entry, where it is one that we send.
fn sent(entry: &Json) -> Option<Call> {
    let params = &entry["params"];
    let hotkey = || from_ss58(&text(&params["hotkey"])).unwrap();
    let netuid = || number(&params["netuid"]) as u16;
    match entry["function"].as_str().unwrap() {
        "transfer_keep_alive" => Some(Call::Transfer {
            dest: from_ss58(&text(&params["dest"])).unwrap(),
            value: number(&params["value"]),
        }),
        "add_stake" => Some(Call::AddStake {
            hotkey: hotkey(),
            netuid: netuid(),
            amount: number(&params["amount_staked"]),
        }),
        "remove_stake" => Some(Call::RemoveStake {
            hotkey: hotkey(),
            netuid: netuid(),
            amount: number(&params["amount_unstaked"]),
        }),
        "burned_register" => Some(Call::BurnedRegister { netuid: netuid(), hotkey: hotkey() }),
        _ => None,
    }
}

/// One call of each kind.
fn all_calls() -> Vec<Call> {
    let (netuid, mechanism, hotkey) = (1, 0, [7; 32]);
    let (amount, limit, partial) = (5, 6, true);
    let (uids, values, salt, version_key) = (vec![1], vec![2], vec![3], 4);
    let admin = Call::SetHyperparameter { netuid, parameter: Hyperparameter::Tempo(360) };
    let arguments = vec![Argument::Number(1), Argument::Bool(true)];
    let named = Call::Admin { call: "sudo_set_yuma3_enabled".into(), arguments };
    vec![
        Call::Transfer { dest: hotkey, value: 1 },
        Call::BurnedRegister { netuid, hotkey },
        Call::RegisterLimit { netuid, hotkey, limit },
        Call::RegisterNetwork { hotkey },
        Call::StartCall { netuid },
        Call::ServeAxon { netuid, version: 1, at: "10.0.0.1:3".parse().unwrap() },
        Call::AddStake { hotkey, netuid, amount },
        Call::AddStakeLimit { hotkey, netuid, amount, limit, partial },
        Call::RemoveStake { hotkey, netuid, amount },
        Call::RemoveStakeLimit { hotkey, netuid, amount, limit, partial },
        Call::MoveStake { from: (hotkey, 1), to: (hotkey, 2), amount },
        Call::TransferStake { coldkey: hotkey, hotkey, from: 1, to: 2, amount },
        Call::SwapStake { hotkey, from: 1, to: 2, amount, limit: None },
        Call::SwapStake { hotkey, from: 1, to: 2, amount, limit: Some((limit, partial)) },
        Call::SetChildren { hotkey, netuid, children: vec![(9, hotkey)] },
        Call::SetChildkeyTake { hotkey, netuid, take: 9 },
        Call::SetWeights {
            netuid,
            mechanism,
            dests: uids.clone(),
            weights: values.clone(),
            version_key,
        },
        Call::CommitTimelockedWeights {
            netuid,
            mechanism,
            commit: vec![1; 300],
            round: 9,
            version: 4,
        },
        Call::CommitWeights { netuid, mechanism, hash: [9; 32] },
        Call::RevealWeights { netuid, mechanism, uids, values, salt, version_key },
        Call::SetCommitment { netuid, fields: vec![crate::Field::Bytes(vec![1, 2, 3])] },
        Call::SetAdminFreezeWindow(0),
        Call::Sudo(Box::new(admin.clone())),
        Call::Batch(vec![named, admin]),
    ]
}

#[test]
fn calls_are_those_of_the_sdk() {
    let at = client(metadata());
    let golden = golden();
    let mut compared = 0;
    for entry in golden["calls"].as_array().unwrap() {
        if let Some(call) = sent(entry) {
            assert_eq!(encoded(&at, &call), hex(&text(&entry["data_hex"])), "{call:?}");
            compared += 1;
        }
    }
    assert_eq!(compared, 4);
    let weights = vec![100, 200];
    let set =
        Call::SetWeights { netuid: 1, mechanism: 0, dests: vec![0, 1], weights, version_key: 0 };
    // As `set_weights` of the SDK's vectors, with the mechanism after the subnet.
    let expected = hex("07770100000800000100086400c8000000000000000000");
    assert_eq!(encoded(&at, &set), expected);
    for call in all_calls() {
        assert!(!encoded(&at, &call).is_empty());
    }
}

#[test]
fn what_is_signed_and_sent_is_what_the_sdk_signs_and_sends() {
    let at = client(metadata());
    let golden = golden();
    let transfer = Call::Transfer {
        dest: from_ss58("5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty").unwrap(),
        value: 12_345,
    };
    let birth = text(&golden["signature_payloads"][1]["era_birth_block_hash"]);
    let payload = transfer.payload();
    let signable = |entry: &Json| {
        let params = DefaultExtrinsicParamsBuilder::<SubstrateConfig>::new();
        let params = if entry["era"].is_object() {
            let era = &entry["era"];
            let birth = H256(hex(&birth).try_into().unwrap());
            params.mortal_from_unchecked(number(&era["period"]), number(&era["current"]), birth)
        } else {
            params.immortal()
        };
        let params = params.nonce(number(&entry["nonce"])).build();
        at.transactions().create_signable_offline(&payload, params).unwrap()
    };
    for entry in golden["signature_payloads"].as_array().unwrap() {
        let expected = hex(&text(&entry["payload_hex"]));
        assert_eq!(signable(entry).signer_payload().unwrap(), expected);
    }
    for entry in golden["extrinsics"].as_array().unwrap() {
        let account = AccountId32(hex(&text(&entry["public_key_hex"])).try_into().unwrap());
        let signature = hex(&text(&entry["signature_hex"])).try_into().unwrap();
        let signature = MultiSignature::Sr25519(signature);
        let signed = signable(entry).sign_with_account_and_signature(&account, &signature).unwrap();
        assert_eq!(signed.encoded(), hex(&text(&entry["extrinsic_hex"])));
        assert_eq!(blake2_256(signed.encoded()).to_vec(), hex(&text(&entry["extrinsic_hash"])));
    }
}

#[test]
fn storage_is_asked_for_under_the_sdk_s_keys() {
    let at = client(metadata());
    let golden = golden();
    let mut compared = 0;
    for entry in golden["storage_keys"].as_array().unwrap() {
        let (pallet, name) = (text(&entry["pallet"]), text(&entry["storage_function"]));
        let params = entry["params"].as_array().unwrap();
        let numbers: Option<Vec<u16>> =
            params.iter().map(|param| param.as_u64().map(|number| number as u16)).collect();
        let key = match numbers.as_deref() {
            Some([]) => {
                let address = dynamic::storage::<(), dynamic::Value>(pallet, name);
                at.storage().entry(address).unwrap().fetch_key(())
            }
            Some([netuid]) => {
                let address = dynamic::storage::<(u16,), dynamic::Value>(pallet, name);
                at.storage().entry(address).unwrap().fetch_key((*netuid,))
            }
            Some([netuid, uid]) => {
                let address = dynamic::storage::<(u16, u16), dynamic::Value>(pallet, name);
                at.storage().entry(address).unwrap().fetch_key((*netuid, *uid))
            }
            _ => continue,
        };
        assert_eq!(key.unwrap(), hex(&text(&entry["key_hex"])), "{entry}");
        compared += 1;
    }
    assert!(compared >= 6, "{compared}");
}

#[test]
fn neurons_are_read_as_the_sdk_reads_them() {
    let at = client(metadata());
    let golden = golden();
    let entry = &golden["runtime_calls"][0];
    let api = at.metadata_ref().runtime_api_trait_by_name("NeuronInfoRuntimeApi").unwrap();
    let output = api.method_by_name("get_neurons_lite").unwrap().output_ty();
    let raw = hex(&text(&entry["raw_hex"]));
    let types = at.metadata_ref().types();
    let neurons = Vec::<NeuronLite>::decode_as_type(&mut &raw[..], output, types).unwrap();
    let expected = entry["decoded"].as_array().unwrap();
    assert_eq!(neurons.len(), expected.len());
    for (neuron, expected) in neurons.into_iter().zip(expected) {
        let neuron = neuron.read();
        assert_eq!(crate::to_ss58(&neuron.hotkey), expected["hotkey"]);
        assert_eq!(u64::from(neuron.uid), number(&expected["uid"]));
        assert_eq!(neuron.active, expected["active"]);
        assert_eq!(neuron.emission, number(&expected["emission"]));
        assert_eq!(u64::from(neuron.incentive), number(&expected["incentive"]));
        assert_eq!(neuron.last_update, number(&expected["last_update"]));
        assert_eq!(neuron.validator_permit, expected["validator_permit"]);
    }
}

/// The calls of a pallet.
fn calls<'a>(
    metadata: &'a mut RuntimeMetadataV15,
    pallet: &str,
) -> &'a mut TypeDefVariant<PortableForm> {
    let pallet = metadata.pallets.iter().find(|found| found.name == pallet).unwrap();
    let id = pallet.calls.as_ref().unwrap().ty.id;
    let found = metadata.types.types.iter_mut().find(|found| found.id == id).unwrap();
    match &mut found.ty.type_def {
        TypeDef::Variant(calls) => calls,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_runtime_that_numbers_its_calls_anew_gets_the_new_numbers() {
    let mut moved = metadata();
    for call in &mut calls(&mut moved, "SubtensorModule").variants {
        call.index ^= 0x80;
    }
    for pallet in &mut moved.pallets {
        pallet.index += 100;
    }
    let id = moved.outer_enums.call_enum_ty.id;
    let outer = moved.types.types.iter_mut().find(|found| found.id == id).unwrap();
    if let TypeDef::Variant(outer) = &mut outer.ty.type_def {
        outer.variants.iter_mut().for_each(|pallet| pallet.index += 100);
    }
    let (old, new) = (client(metadata()), client(moved));
    let register = Call::BurnedRegister { netuid: 1, hotkey: [7; 32] };
    let (before, after) = (encoded(&old, &register), encoded(&new, &register));
    assert_eq!((before[0], before[1]), (7, 7));
    assert_eq!((after[0], after[1]), (107, 0x87));
    assert_eq!(before[2..], after[2..]);
    // Within another call, too.
    let sudo = Call::Sudo(Box::new(register));
    assert_eq!(encoded(&new, &sudo)[2..], after);
}

#[test]
fn a_subnet_s_number_may_be_plain_or_wrapped() {
    let mut plain = metadata();
    let netuid = plain
        .types
        .types
        .iter()
        .position(|found| found.ty.path.segments.last().is_some_and(|name| name == "NetUid"));
    let netuid = netuid.expect("461 wraps it");
    let TypeDef::Composite(wrapped) = plain.types.types[netuid].ty.type_def.clone() else {
        panic!("a newtype")
    };
    let inner = wrapped.fields[0].ty.id as usize;
    plain.types.types[netuid].ty = plain.types.types[inner].ty.clone();
    let (wrapped, plain) = (client(metadata()), client(plain));
    for call in all_calls() {
        assert_eq!(encoded(&wrapped, &call), encoded(&plain, &call), "{call:?}");
    }
}

#[test]
fn a_call_that_is_gone_or_takes_something_else_is_an_error() {
    let transfer = Call::Transfer { dest: [1; 32], value: 1 };
    let mut renamed = metadata();
    calls(&mut renamed, "Balances").variants.retain(|call| call.name != "transfer_keep_alive");
    let mut longer = metadata();
    for call in &mut calls(&mut longer, "Balances").variants {
        let more = call.fields[0].clone();
        call.fields.push(more);
    }
    for changed in [renamed, longer] {
        let at = client(changed);
        at.transactions().call_data(&transfer.payload()).unwrap_err();
    }
}
