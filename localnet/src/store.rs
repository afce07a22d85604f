//! A chain on disk: its newest state and its blocks, in one file of an embedded database.
//!
//! What a block changed is written in one transaction together with the block, before anybody hears
//! of it. So a crash at any moment leaves the chain as somebody may have seen it, or a little newer.
//! Older states and waiting extrinsics are not kept.

use crate::{
    chain::{BLOCKS_KEPT, Chain, Saved, StoredBlock, Unsaved},
    error::Error,
    runtime::BlockNumber,
};
use codec::{DecodeAll, Encode};
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition};
use std::{fs, path::Path};

/// What the file is, and who can read it.
const ABOUT: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("about");
/// The newest state.
const STATE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("state");
/// The newest blocks, by height.
const BLOCKS: TableDefinition<'_, BlockNumber, &[u8]> = TableDefinition::new("blocks");
/// What [`ABOUT`] holds under "chain": genesis hash and hash of the runtime's metadata.
const CHAIN: &str = "chain";
/// The file in its folder.
const FILE: &str = "chain.redb";
/// Memory for pages of the file.
const CACHE_BYTES: usize = 16 << 20;

/// A chain's file, open for this process alone.
pub(crate) struct Store {
    database: Database,
}

/// Why a file cannot be read or written.
type Fault = redb::Error;

impl Store {
    /// Opens the file in a folder, and makes both where there are none; a chain that was saved there
    /// takes the place of `chain`, which must be one of the same settings at block 0.
    ///
    /// # Errors
    /// If the file cannot be used, or holds a chain of other settings.
    pub(crate) fn open(folder: &Path, chain: Chain) -> Result<(Self, Chain), Error> {
        let path = folder.join(FILE);
        let unusable = |cause: String| Error::Data { path: path.clone(), cause };
        fs::create_dir_all(folder).map_err(|error| unusable(error.to_string()))?;
        let database = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .set_check_integrity_on_open(true)
            .create(&path)
            .map_err(|error| match error {
                DatabaseError::DatabaseAlreadyOpen => Error::DataInUse { path: path.clone() },
                other => unusable(other.to_string()),
            })?;
        let mut store = Self { database };
        let about = (chain.genesis_hash(), chain.metadata_hash()).encode();
        match store.about().map_err(|error| unusable(error.to_string()))? {
            None => {
                store.replace(&chain).map_err(|error| unusable(error.to_string()))?;
                // The file's name must outlast a crash, too.
                let synced = fs::File::open(folder).and_then(|folder| folder.sync_all());
                synced.map_err(|error| unusable(error.to_string()))?;
                Ok((store, chain.recorded()))
            }
            Some(found) if found == about => {
                let saved = store.load().map_err(|error| unusable(error.to_string()))?;
                let saved = saved.ok_or_else(|| unusable("a block does not decode".into()))?;
                let chain = chain.restored(saved).map_err(unusable)?;
                Ok((store, chain.recorded()))
            }
            Some(_) => Err(Error::OtherChain { path }),
        }
    }

    fn about(&self) -> Result<Option<Vec<u8>>, Fault> {
        let read = self.database.begin_read()?;
        match read.open_table(ABOUT) {
            Ok(table) => Ok(table.get(CHAIN)?.map(|value| value.value().to_vec())),
            Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn load(&self) -> Result<Option<Saved>, Fault> {
        let read = self.database.begin_read()?;
        let mut state = Vec::new();
        for pair in read.open_table(STATE)?.iter()? {
            let (key, value) = pair?;
            state.push((key.value().to_vec(), value.value().to_vec()));
        }
        let mut blocks = Vec::new();
        for pair in read.open_table(BLOCKS)?.iter()? {
            let Ok(block) = StoredBlock::decode_all(&mut pair?.1.value()) else { return Ok(None) };
            blocks.push(block);
        }
        Ok(Some(Saved { state, blocks }))
    }

    /// Adds blocks and what they changed.
    ///
    /// # Errors
    /// If they cannot be written; then the file is as before.
    pub(crate) fn append(&mut self, unsaved: &[Unsaved]) -> Result<(), Fault> {
        let Some(newest) = unsaved.last() else { return Ok(()) };
        let newest = newest.block.header.number;
        let write = self.database.begin_write()?;
        {
            let mut state = write.open_table(STATE)?;
            let mut blocks = write.open_table(BLOCKS)?;
            for Unsaved { block, changes } in unsaved {
                for (key, value) in changes {
                    match value {
                        Some(value) => state.insert(&key[..], &value[..])?,
                        None => state.remove(&key[..])?,
                    };
                }
                blocks.insert(block.header.number, &block.encode()[..])?;
            }
            let oldest = newest.saturating_sub(BLOCKS_KEPT as BlockNumber - 1);
            // Block 0 stays.
            blocks.retain_in(1..oldest.max(1), |_, _| false)?;
        }
        write.commit()?;
        Ok(())
    }

    /// Makes the file hold this chain and nothing else.
    ///
    /// # Errors
    /// If it cannot be written; then the file is as before.
    pub(crate) fn replace(&mut self, chain: &Chain) -> Result<(), Fault> {
        let write = self.database.begin_write()?;
        write.delete_table(STATE)?;
        write.delete_table(BLOCKS)?;
        {
            let about = (chain.genesis_hash(), chain.metadata_hash()).encode();
            write.open_table(ABOUT)?.insert(CHAIN, &about[..])?;
            let mut state = write.open_table(STATE)?;
            for (key, value) in chain.pairs(None).expect("the newest state is kept") {
                state.insert(&key[..], &value[..])?;
            }
            let mut blocks = write.open_table(BLOCKS)?;
            let genesis = chain.block_at(0).into_iter();
            for block in genesis.chain((1..=chain.number()).filter_map(|n| chain.block_at(n))) {
                blocks.insert(block.header.number, &block.encode()[..])?;
            }
        }
        write.commit()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
