//! A dev chain with a client, and a subnet on it, as the tests of this folder share them.
//!
//! Blocks come only when a test says so: [`Net::sealed`] waits until the pool holds what the test
//! sends, then seals one block.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use iota_chain::{
    BlockView, Call, Client, Hyperparameter, Inclusion, Keypair, Neuron, SubmitError,
};
use iota_localnet::{Api, Config, Handle};

/// The subnet that all tests use.
pub(crate) const NET: u16 = 1;
/// Blocks in an epoch.
pub(crate) const TEMPO: u16 = 10;
/// Rao in one TAO.
pub(crate) const TAO: u64 = 1_000_000_000;
/// Time to connect, on a machine that has much else to do.
pub(crate) const CONNECT: Duration = Duration::from_secs(30);

/// A dev chain and a client of it.
pub(crate) struct Net {
    pub(crate) api: Api,
    pub(crate) client: Client,
    handle: Handle,
}

/// A key by its development name.
pub(crate) fn key(name: &str) -> Keypair {
    Keypair::from_uri(&format!("//{name}")).unwrap()
}

impl Net {
    /// Block 0.
    pub(crate) async fn new() -> Self {
        let (api, handle) = iota_localnet::spawn(Config::test()).await.unwrap();
        let client = Client::connect(&api.url(), CONNECT).await.unwrap();
        Self { api, client, handle }
    }

    /// A started subnet of Alice's with a short tempo, without limits and with no neuron but hers.
    pub(crate) async fn started() -> Self {
        let net = Self::new().await;
        let alice = key("Alice");
        net.ok(&alice, Call::RegisterNetwork { hotkey: key("owner").public() }).await;
        net.ok(&alice, Call::StartCall { netuid: NET }).await;
        let mut calls = vec![Call::Sudo(Box::new(Call::SetAdminFreezeWindow(0)))];
        calls.extend(
            [
                Hyperparameter::Tempo(TEMPO),
                Hyperparameter::WeightsSetRateLimit(0),
                Hyperparameter::CommitRevealWeightsEnabled(false),
                Hyperparameter::ServingRateLimit(0),
                Hyperparameter::SubnetEmissionEnabled(true),
            ]
            .map(sudo_set),
        );
        net.ok(&alice, Call::Batch(calls)).await;
        net
    }

    /// Sends a call and seals it into a block.
    pub(crate) async fn submit(
        &self,
        signer: &Keypair,
        call: &Call,
    ) -> Result<Inclusion, SubmitError> {
        self.sealed(1, self.client.submit(signer, call)).await
    }

    /// As [`Self::submit`], of a call that succeeds.
    pub(crate) async fn ok(&self, signer: &Keypair, call: Call) -> Inclusion {
        let done = self.submit(signer, &call).await;
        done.unwrap_or_else(|error| panic!("{call:?}: {error}"))
    }

    /// Registers a hotkey of Bob's.
    pub(crate) async fn register(&self, name: &str) -> Keypair {
        let hotkey = key(name);
        let call = Call::BurnedRegister { netuid: NET, hotkey: hotkey.public() };
        self.ok(&key("Bob"), call).await;
        hotkey
    }

    /// Runs `work`; seals one block as soon as it has brought `count` extrinsics into the pool.
    pub(crate) async fn sealed<T>(&self, count: usize, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                pending = self.pending() => if pending >= count { break },
            }
        }
        self.api.seal(1).await.unwrap();
        work.await
    }

    /// Extrinsics in the pool.
    pub(crate) async fn pending(&self) -> usize {
        // Others on this thread go first: this is asked in a loop.
        tokio::task::yield_now().await;
        self.api.read(|chain| chain.pending().len()).await.unwrap()
    }

    /// The subnet at the newest block.
    pub(crate) async fn view(&self) -> BlockView {
        self.client.block_view(NET, self.api.head().hash.0).await.unwrap()
    }

    /// A hotkey's neuron at the newest block.
    pub(crate) async fn neuron(&self, hotkey: &Keypair) -> Neuron {
        let neurons = self.view().await.neurons;
        neurons.into_iter().find(|neuron| neuron.hotkey == hotkey.public()).unwrap()
    }

    /// Ends the chain.
    pub(crate) async fn stop(self) {
        self.handle.stop().await;
    }
}

/// Sets a parameter of the subnet, as root.
pub(crate) fn sudo_set(parameter: Hyperparameter) -> Call {
    Call::Sudo(Box::new(Call::SetHyperparameter { netuid: NET, parameter }))
}
