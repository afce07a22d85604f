//! What coldkeys and subnets say of themselves, and the sign of a subnet's alpha.

use super::{
    Config, Error, Event, IdentitiesV2, OwnedHotkeys, Pallet, SubnetIdentitiesV3, SubnetOwner,
    TokenSymbol, Uids,
};
use codec::{Decode, DecodeWithMemTracking, Encode};
use frame_support::{
    dispatch::{DispatchResult, RawOrigin},
    ensure,
};
use frame_system::pallet_prelude::OriginFor;
use scale_info::TypeInfo;
use sp_runtime::DispatchError;

/// Most bytes of a name, of a link and of a text.
const MAX_NAME: usize = 256;
const MAX_LINK: usize = 1024;
const MAX_TEXT: usize = 1024;
/// The final sigma, which is no letter of its own.
const FINAL_SIGMA: char = '\u{3c2}';

/// Who a coldkey says it is.
#[derive(Clone, Debug, Default, Eq, PartialEq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct ChainIdentityV2 {
    /// Name.
    pub name: Vec<u8>,
    /// Web page.
    pub url: Vec<u8>,
    /// Source code.
    pub github_repo: Vec<u8>,
    /// Link to a picture.
    pub image: Vec<u8>,
    /// Discord name.
    pub discord: Vec<u8>,
    /// A text.
    pub description: Vec<u8>,
    /// Anything else.
    pub additional: Vec<u8>,
}

/// What a subnet says it is.
#[derive(Clone, Debug, Default, Eq, PartialEq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct SubnetIdentityV3 {
    /// Name.
    pub subnet_name: Vec<u8>,
    /// Source code.
    pub github_repo: Vec<u8>,
    /// Whom to ask.
    pub subnet_contact: Vec<u8>,
    /// Web page.
    pub subnet_url: Vec<u8>,
    /// Discord channel.
    pub discord: Vec<u8>,
    /// A text.
    pub description: Vec<u8>,
    /// Link to a picture.
    pub logo_url: Vec<u8>,
    /// Anything else.
    pub additional: Vec<u8>,
}

impl ChainIdentityV2 {
    fn is_short(&self) -> bool {
        let links = [&self.url, &self.github_repo, &self.image, &self.discord];
        let texts = [&self.description, &self.additional];
        self.name.len() <= MAX_NAME
            && links.iter().all(|link| link.len() <= MAX_LINK)
            && texts.iter().all(|text| text.len() <= MAX_TEXT)
    }
}

impl SubnetIdentityV3 {
    fn is_short(&self) -> bool {
        let links = [
            &self.github_repo,
            &self.subnet_contact,
            &self.subnet_url,
            &self.discord,
            &self.logo_url,
        ];
        let texts = [&self.description, &self.additional];
        self.subnet_name.len() <= MAX_NAME
            && links.iter().all(|link| link.len() <= MAX_LINK)
            && texts.iter().all(|text| text.len() <= MAX_TEXT)
    }
}

impl<T: Config> Pallet<T> {
    pub(super) fn do_set_identity(
        coldkey: &T::AccountId,
        identity: ChainIdentityV2,
    ) -> DispatchResult {
        let registered = OwnedHotkeys::<T>::get(coldkey)
            .iter()
            .any(|hotkey| Self::netuids().iter().any(|net| Uids::<T>::contains_key(net, hotkey)));
        ensure!(registered, Error::<T>::HotKeyNotRegisteredInNetwork);
        ensure!(identity.is_short(), Error::<T>::InvalidIdentity);
        IdentitiesV2::<T>::insert(coldkey, identity);
        Self::deposit_event(Event::ChainIdentitySet(coldkey.clone()));
        Ok(())
    }

    /// Sets a subnet's identity, as its owner or as root.
    pub(super) fn do_set_subnet_identity(
        origin: OriginFor<T>,
        netuid: u16,
        identity: SubnetIdentityV3,
    ) -> DispatchResult {
        let raw: Result<RawOrigin<T::AccountId>, _> = origin.into();
        match raw {
            Ok(RawOrigin::Root) => {}
            Ok(RawOrigin::Signed(who)) if who == SubnetOwner::<T>::get(netuid) => {}
            _ => return Err(DispatchError::BadOrigin),
        }
        Self::store_subnet_identity(netuid, identity)
    }

    /// Stores a subnet's identity if it is not too long.
    pub(super) fn store_subnet_identity(netuid: u16, identity: SubnetIdentityV3) -> DispatchResult {
        ensure!(identity.is_short(), Error::<T>::InvalidIdentity);
        SubnetIdentitiesV3::<T>::insert(netuid, identity);
        Self::deposit_event(Event::SubnetIdentitySet(netuid));
        Ok(())
    }

    /// Gives a new subnet's alpha its sign: a Greek letter by netuid from 1, for later ones `sn` and
    /// the netuid.
    pub(super) fn assign_symbol(netuid: u16) {
        let mut letters = ('\u{3b1}'..='\u{3c9}').filter(|letter| *letter != FINAL_SIGMA);
        let greek = usize::from(netuid).checked_sub(1).and_then(|index| letters.nth(index));
        let symbol = greek.map_or_else(|| format!("sn{netuid}"), String::from);
        TokenSymbol::<T>::insert(netuid, symbol.into_bytes());
    }
}
