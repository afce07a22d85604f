//! Blobs: verified, bounded, resumed.

use std::sync::Arc;
use std::time::Duration;

use iota_p2p::{FetchError, RequestError, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::world::{Node, pair, within};

const LONG: Duration = Duration::from_secs(30);
const MAX: usize = 16 << 20;

fn blob(bytes: usize) -> ([u8; 32], Arc<[u8]>) {
    let bytes: Vec<u8> =
        (0..bytes as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    (*blake3::hash(&bytes).as_bytes(), bytes.into())
}

#[tokio::test]
async fn three_megabytes_arrive_as_they_are() {
    for transport in [Transport::Tcp, Transport::Quic] {
        let (a, b, _) = pair(transport).await;
        let (hash, bytes) = blob(3_000_000);
        b.handle.provide(hash, Arc::clone(&bytes), 1);
        let fetched = within("the blob", a.handle.fetch(&b.hotkey, hash, MAX, LONG)).await;
        assert_eq!(fetched.unwrap(), bytes);
        b.handle.forget_before(2);
        let gone = a.handle.fetch(&b.hotkey, hash, MAX, LONG).await;
        assert_eq!(gone, Err(FetchError::NotFound));
    }
}

#[tokio::test]
async fn a_liar_is_detected() {
    let (a, b, _) = pair(Transport::Tcp).await;
    let (hash, bytes) = blob(3_000_000);
    let mut wrong = bytes.to_vec();
    wrong[2_999_999] ^= 1;
    b.handle.provide(hash, wrong.into(), 1);
    let fetched = a.handle.fetch(&b.hotkey, hash, MAX, LONG).await;
    assert_eq!(fetched, Err(FetchError::Mismatch));
}

#[tokio::test]
async fn a_blob_larger_than_accepted_is_refused_by_its_length() {
    let (a, b, _) = pair(Transport::Tcp).await;
    let (hash, bytes) = blob(3_000_000);
    b.handle.provide(hash, bytes, 1);
    let fetched = a.handle.fetch(&b.hotkey, hash, 2_999_999, LONG).await;
    assert_eq!(fetched, Err(FetchError::TooLarge { bytes: 3_000_000, limit: 2_999_999 }));
    let nobody = a.handle.fetch(&[9; 32], hash, MAX, LONG).await;
    assert_eq!(nobody, Err(FetchError::Request(RequestError::NotConnected)));
}

/// Carries bytes between two sockets until one ends, or until that many came back.
async fn carry(near: TcpStream, far: TcpStream, back: usize) {
    let (mut near_in, mut near_out) = near.into_split();
    let (mut far_in, mut far_out) = far.into_split();
    let there = tokio::io::copy(&mut near_in, &mut far_out);
    let again = async {
        let (mut left, mut buffer) = (back, vec![0; 16 << 10]);
        while left > 0 {
            let most = buffer.len().min(left);
            let Ok(read @ 1..) = far_in.read(&mut buffer[..most]).await else { return };
            if near_out.write_all(&buffer[..read]).await.is_err() {
                return;
            }
            left -= read;
        }
    };
    tokio::select! {
        _ = there => {}
        () = again => {}
    }
}

#[tokio::test]
async fn a_cut_transfer_goes_on_where_it_stopped() {
    let register = Arc::default();
    let (mut a, b) = (Node::start(1, &register).await, Node::start(2, &register).await);
    let line = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = line.local_addr().unwrap();
    let far = b.handle.local_address();
    let carried = tokio::spawn(async move {
        let mut connections = 0;
        // The first line breaks in the second of four chunks.
        for back in [1_500_000, usize::MAX] {
            let (near, _) = line.accept().await.unwrap();
            connections += 1;
            carry(near, TcpStream::connect(far).await.unwrap(), back).await;
        }
        connections
    });
    let to = iota_p2p::Address { socket: address, transport: Transport::Tcp };
    a.handle.dial(to).await;
    a.up(b.hotkey).await;
    let (hash, bytes) = blob(4_000_000);
    b.handle.provide(hash, Arc::clone(&bytes), 1);
    let fetched = within("the blob", a.handle.fetch(&b.hotkey, hash, MAX, LONG)).await;
    assert_eq!(fetched.unwrap(), bytes);
    a.handle.shutdown().await;
    assert_eq!(carried.await.unwrap(), 2);
}
