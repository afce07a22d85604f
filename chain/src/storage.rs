//! Storage entries by name, at a block.

use subxt::dynamic;
use subxt::ext::frame_decode::storage::{IntoDecodableValues, IntoEncodableValues};
use subxt::ext::scale_decode::DecodeAsType;

use crate::client::{AtBlock, rpc};
use crate::error::ReadError;

/// A pallet's storage at a block.
pub(crate) struct Storage<'a> {
    at: &'a AtBlock,
    pallet: &'static str,
    what: &'static str,
}

impl<'a> Storage<'a> {
    /// `what` is read, as errors name it.
    pub(crate) fn new(at: &'a AtBlock, pallet: &'static str, what: &'static str) -> Self {
        Self { at, pallet, what }
    }

    /// Whether the chain has an entry of this name.
    pub(crate) fn has(&self, entry: &str) -> bool {
        let pallet = self.at.metadata_ref().pallet_by_name(self.pallet);
        pallet.and_then(|pallet| pallet.storage()?.entry_by_name(entry).map(|_| ())).is_some()
    }

    /// A value, or its default; none where it is not set and has none, or where the chain has no
    /// such entry.
    pub(crate) async fn get<K, V>(&self, entry: &str, key: K) -> Result<Option<V>, ReadError>
    where
        K: IntoEncodableValues + IntoDecodableValues,
        V: DecodeAsType,
    {
        if !self.has(entry) {
            return Ok(None);
        }
        let address = dynamic::storage::<K, V>(self.pallet, entry);
        let found = rpc(self.what, self.at.storage().try_fetch(address, key)).await?;
        let form =
            |error| ReadError::form(self.what, format_args!("{}.{entry}: {error}", self.pallet));
        found.map(|found| found.decode().map_err(form)).transpose()
    }
}
