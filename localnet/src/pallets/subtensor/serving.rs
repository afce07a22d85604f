//! Where neurons serve.

use super::{
    AxonInfo, Axons, Config, Error, Event, NeuronCertificate, NeuronCertificates, Pallet,
    Prometheus, PrometheusInfo, ServingRateLimit, Uids,
};
use frame_support::{BoundedVec, dispatch::DispatchResult, ensure};

/// What `serve_axon` announces.
#[derive(Clone, Debug)]
pub struct Axon {
    /// Version of the serving program.
    pub version: u32,
    /// Address, as an integer.
    pub ip: u128,
    /// Port.
    pub port: u16,
    /// 4 or 6.
    pub ip_type: u8,
    /// Free for the subnet's use.
    pub protocol: u8,
    /// Free for the subnet's use.
    pub placeholder1: u8,
    /// Free for the subnet's use.
    pub placeholder2: u8,
}

impl<T: Config> Pallet<T> {
    pub(super) fn do_serve_axon(
        hotkey: &T::AccountId,
        netuid: u16,
        axon: Axon,
        certificate: Vec<u8>,
    ) -> DispatchResult {
        Self::check_axon(hotkey, netuid, axon.ip_type, axon.ip, axon.port)?;
        let Axon { version, ip, port, ip_type, protocol, placeholder1, placeholder2 } = axon;
        let block = Self::now();
        let info =
            AxonInfo { block, version, ip, port, ip_type, protocol, placeholder1, placeholder2 };
        Axons::<T>::insert(netuid, hotkey, info);
        // A certificate that is none is left out, not refused: so does the real chain.
        if let Some((algorithm, key)) = certificate.split_first()
            && let Ok(public_key) = BoundedVec::try_from(key.to_vec())
        {
            let certificate = NeuronCertificate { public_key, algorithm: *algorithm };
            NeuronCertificates::<T>::insert(netuid, hotkey, certificate);
        }
        Self::deposit_event(Event::AxonServed(netuid, hotkey.clone()));
        Ok(())
    }

    pub(super) fn do_serve_prometheus(
        hotkey: &T::AccountId,
        netuid: u16,
        version: u32,
        (ip_type, ip, port): (u8, u128, u16),
    ) -> DispatchResult {
        let registered = Uids::<T>::contains_key(netuid, hotkey);
        ensure!(registered, Error::<T>::HotKeyNotRegisteredInNetwork);
        ensure!(ip_type == 4 || ip_type == 6, Error::<T>::InvalidIpType);
        ensure!(is_address(ip_type, ip), Error::<T>::InvalidIpAddress);
        let last = Prometheus::<T>::get(netuid, hotkey).map_or(0, |served| served.block);
        let waited = Self::now().saturating_sub(last);
        let late = last == 0 || waited >= ServingRateLimit::<T>::get(netuid);
        ensure!(late, Error::<T>::ServingRateLimitExceeded);
        let block = Self::now();
        let info = PrometheusInfo { block, version, ip, port, ip_type };
        Prometheus::<T>::insert(netuid, hotkey, info);
        Self::deposit_event(Event::PrometheusServed(netuid, hotkey.clone()));
        Ok(())
    }

    /// Whether `hotkey` may announce this address now. The pool asks the same.
    pub(super) fn check_axon(
        hotkey: &T::AccountId,
        netuid: u16,
        ip_type: u8,
        ip: u128,
        port: u16,
    ) -> Result<(), Error<T>> {
        let registered = Uids::<T>::contains_key(netuid, hotkey);
        ensure!(registered, Error::<T>::HotKeyNotRegisteredInNetwork);
        ensure!(ip_type == 4 || ip_type == 6, Error::<T>::InvalidIpType);
        ensure!(is_address(ip_type, ip), Error::<T>::InvalidIpAddress);
        let last = Axons::<T>::get(netuid, hotkey).map_or(0, |axon| axon.block);
        let waited = Self::now().saturating_sub(last);
        let late = last == 0 || waited >= ServingRateLimit::<T>::get(netuid);
        ensure!(late, Error::<T>::ServingRateLimitExceeded);
        ensure!(port != 0, Error::<T>::InvalidPort);
        Ok(())
    }
}

/// Refuses the loopback and broadcast addresses. Zero passes: a neuron that does not serve says so.
fn is_address(ip_type: u8, ip: u128) -> bool {
    const LOOPBACK_4: u128 = 0x7f00_0001;
    const LOOPBACK_6: u128 = 1;
    match ip_type {
        4 => ip < u128::from(u32::MAX) && ip != LOOPBACK_4,
        6 => ip != u128::MAX && ip != LOOPBACK_6,
        _ => false,
    }
}
