//! Stake that is lent: a hotkey's children validate with shares of its stake.

use crate::Hotkey;
use crate::client::Client;
use crate::error::ReadError;
use crate::storage::Storage;

/// Most children or parents that are read.
const MAX_RELATIVES: usize = 4096;

/// A hotkey, and the share of stake that goes to it or comes from it, of 2^64.
pub type Relative = (u64, Hotkey);

/// What a hotkey lends and borrows on a subnet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Family {
    /// To whom it lends.
    pub children: Vec<Relative>,
    /// What replaces that, and the block after which an epoch may apply it.
    pub pending: Option<(Vec<Relative>, u64)>,
    /// From whom it borrows.
    pub parents: Vec<Relative>,
    /// Of what it earns with borrowed stake, the part that it keeps, of 65535.
    pub take: u16,
}

impl Client {
    /// What a hotkey lends and borrows on a subnet.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn family(&self, netuid: u16, hotkey: &Hotkey) -> Result<Family, ReadError> {
        const WHAT: &str = "the child hotkeys";
        let at = self.latest().await?;
        let of = Storage::new(&at, "SubtensorModule", WHAT);
        let key = (*hotkey, netuid);
        let children: Vec<Relative> = of.get("ChildKeys", key).await?.unwrap_or_default();
        let parents: Vec<Relative> = of.get("ParentKeys", key).await?.unwrap_or_default();
        let pending: Option<(Vec<Relative>, u64)> =
            of.get("PendingChildKeys", (netuid, *hotkey)).await?;
        let take = of.get("ChildkeyTake", key).await?.unwrap_or(0);
        let waiting = pending.as_ref().map_or(0, |(children, _)| children.len());
        if children.len().max(parents.len()).max(waiting) > MAX_RELATIVES {
            return Err(ReadError::form(WHAT, "too many"));
        }
        // Where nothing waits, the entry has its default.
        let pending = pending.filter(|(_, block)| *block > 0);
        Ok(Family { children, pending, parents, take })
    }
}
