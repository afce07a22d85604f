//! What hotkeys publish, addresses and commitments, and how it reads back.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use iota_chain::{Call, Field, SubmitError};

use crate::net::{NET, Net, key};

/// Announces an address.
fn serve(ip: IpAddr, port: u16) -> Call {
    Call::ServeAxon { netuid: NET, version: 1, at: SocketAddr::new(ip, port) }
}

fn commit(fields: Vec<Field>) -> Call {
    Call::SetCommitment { netuid: NET, fields }
}

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

#[tokio::test]
async fn an_axon_is_read_back_as_it_was_served() {
    let net = Net::started().await;
    // A hotkey needs no funds for this.
    let hotkey = net.register("m0").await;
    assert_eq!(net.neuron(&hotkey).await.axon, None);
    let addresses = [
        IpAddr::from(Ipv4Addr::new(203, 0, 113, 9)),
        IpAddr::from(Ipv4Addr::UNSPECIFIED),
        IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7)),
    ];
    for (ip, port) in addresses.into_iter().zip([8091, 1, u16::MAX]) {
        net.ok(&hotkey, serve(ip, port)).await;
        assert_eq!(net.neuron(&hotkey).await.axon, Some((ip, port)));
    }
    assert_eq!(net.neuron(&key("owner")).await.axon, None);
    net.stop().await;
}

#[tokio::test]
async fn an_axon_that_cannot_be_served_is_refused_by_the_pool_with_a_remedy() {
    let net = Net::started().await;
    let hotkey = net.register("m0").await;
    let address = IpAddr::from(Ipv4Addr::new(203, 0, 113, 9));
    let cases = [
        (key("Bob"), serve(address, 1), "HotKeyNotRegisteredInNetwork"),
        (hotkey.clone(), serve(IpAddr::from(Ipv4Addr::LOCALHOST), 1), "InvalidIpAddress"),
        (hotkey, serve(address, 0), "InvalidPort"),
    ];
    for (signer, call, expected) in cases {
        match net.submit(&signer, &call).await.unwrap_err() {
            SubmitError::Rejected { name, remedy } => {
                assert_eq!(name, expected);
                assert!(!remedy.contains("see the pallet"), "{remedy}");
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(net.pending().await, 0);
    net.stop().await;
}

#[tokio::test]
async fn commitments_of_all_sizes_are_read_back() {
    let net = Net::started().await;
    let hotkey = net.register("m0").await;
    assert_eq!(net.view().await.commitments, []);
    for sizes in [vec![32], vec![0, 1, 2], vec![127, 128, 129], vec![512], vec![255, 256]] {
        let fields: Vec<Vec<u8>> = sizes.into_iter().map(bytes).collect();
        let at = net.ok(&hotkey, commit(fields.iter().cloned().map(Field::Bytes).collect())).await;
        let expected = fields.into_iter().map(Some).collect();
        let view = net.client.block_view(NET, at.block).await.unwrap();
        assert_eq!(view.commitments, [(hotkey.public(), at.number, expected)]);
        assert_eq!((view.number, view.hash), (at.number, at.block));
    }
    let at = net.ok(&hotkey, commit(vec![Field::None, Field::Bytes(vec![1])])).await;
    let expected = vec![None, Some(vec![1])];
    assert_eq!(net.view().await.commitments, [(hotkey.public(), at.number, expected)]);
    net.stop().await;
}

#[tokio::test]
async fn each_hotkey_keeps_its_own_commitment() {
    let net = Net::started().await;
    let mut expected = Vec::new();
    for name in ["a", "b", "c"] {
        let hotkey = net.register(name).await;
        let field = name.as_bytes().to_vec();
        let at = net.ok(&hotkey, commit(vec![Field::Bytes(field.clone())])).await;
        expected.push((hotkey.public(), at.number, vec![Some(field)]));
    }
    let mut found = net.view().await.commitments;
    found.sort_by_key(|(_, number, _)| *number);
    assert_eq!(found, expected);
    let error = net.submit(&key("Dave"), &commit(vec![Field::None])).await.unwrap_err();
    let text = "AccountNotAllowedCommit: register the hotkey on this subnet";
    assert_eq!(error.to_string(), text);
    net.stop().await;
}

#[tokio::test]
async fn a_commitment_with_too_many_fields_or_bytes_is_not_sent() {
    let net = Net::started().await;
    let hotkey = net.register("m0").await;
    let error = net.submit(&hotkey, &commit(vec![Field::None; 4])).await.unwrap_err();
    assert!(!matches!(error, SubmitError::Connection(_)), "{error}");
    let error = net.submit(&hotkey, &commit(vec![Field::Bytes(bytes(513))])).await.unwrap_err();
    assert!(!matches!(error, SubmitError::Connection(_)), "{error}");
    assert_eq!(net.view().await.commitments, []);
    net.stop().await;
}

#[tokio::test]
async fn a_block_has_its_time_and_its_pulses() {
    let net = Net::new().await;
    net.api.seal(300).await.unwrap();
    let view = net.view().await;
    let config = iota_localnet::Config::test();
    assert_eq!(view.timestamp_ms, config.base_time_ms + 300 * config.block_time_ms);
    let drand = view.drand.unwrap();
    let newest = (view.timestamp_ms / 1000 - drand.genesis_s) / drand.period_s + 1;
    let rounds: Vec<u64> = view.pulses.iter().map(|pulse| pulse.round).collect();
    assert_eq!(rounds, (newest - 7..=newest).collect::<Vec<u64>>());
    assert_ne!(view.pulses[0].randomness, view.pulses[1].randomness);
    net.stop().await;
}
