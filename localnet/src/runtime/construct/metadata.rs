//! The runtime's metadata, as clients of the real chain know how to read it.

use super::Runtime;
use frame_metadata::{RuntimeMetadataPrefixed, v14, v15, v16};
use scale_info::{IntoPortable, PortableRegistry, Registry};

/// The versions there are.
pub(in crate::runtime) const VERSIONS: [u32; 3] = [14, 15, 16];

/// The metadata in one of the [`VERSIONS`].
pub(in crate::runtime) fn at_version(version: u32) -> Option<RuntimeMetadataPrefixed> {
    match version {
        14 => {
            let mut metadata = v14::RuntimeMetadataV14::from(Runtime::metadata_ir());
            rename(&mut metadata.types);
            Some(metadata.into())
        }
        15 => {
            let mut metadata = v15();
            rename(&mut metadata.types);
            Some(metadata.into())
        }
        16 => {
            let mut metadata = v16::RuntimeMetadataV16::from(Runtime::metadata_ir());
            rename(&mut metadata.types);
            Some(metadata.into())
        }
        _ => None,
    }
}

/// Version 15, in which the pallets' types come before the extrinsic's, as on the real chain and in
/// version 14: the Python SDKs up to 10 take a type's number from the one and its shape from the
/// other, and know the account by its number, 0. FRAME itself has changed the order since.
fn v15() -> v15::RuntimeMetadataV15 {
    let ir = Runtime::metadata_ir();
    let extrinsic: v15::ExtrinsicMetadata = ir.extrinsic.into();
    let pallets = ir.pallets.into_iter().map(v15::PalletMetadata::from);
    let apis = ir.apis.into_iter().map(v15::RuntimeApiMetadata::from);
    let outer_enums: v15::OuterEnums = ir.outer_enums.into();
    let mut registry = Registry::new();
    v15::RuntimeMetadataV15 {
        pallets: registry.map_into_portable(pallets),
        extrinsic: extrinsic.into_portable(&mut registry),
        ty: registry.register_type(&ir.ty),
        apis: registry.map_into_portable(apis),
        outer_enums: outer_enums.into_portable(&mut registry),
        custom: v15::CustomMetadata { map: Default::default() },
        types: registry.into(),
    }
}

/// Gives types the paths that they have on the real chain. Clients tell the runtime's call and event
/// by a path of two segments.
fn rename(types: &mut PortableRegistry) {
    for portable in &mut types.types {
        let path = &mut portable.ty.path.segments;
        let mut segments = path.iter().map(String::as_str);
        if segments.next() != Some(env!("CARGO_CRATE_NAME")) {
            continue;
        }
        let renamed: Vec<String> = match (segments.next(), segments.next()) {
            (Some("runtime"), Some(_)) => segments.map(String::from).collect(),
            (Some("pallets"), Some(pallet)) => {
                let pallet = format!("pallet_{pallet}");
                [pallet].into_iter().chain(segments.map(String::from)).collect()
            }
            _ => continue,
        };
        *path = renamed;
        if path.len() == 1 {
            path.insert(0, "node_subtensor_runtime".to_owned());
        }
    }
}
