//! The runtime APIs of the Subtensor pallets, as clients call them by name.

use super::AccountId;
use crate::pallets::subtensor::{NeuronInfo, NeuronInfoLite};

sp_api::decl_runtime_apis! {
    /// Neurons.
    pub trait NeuronInfoRuntimeApi {
        /// All neurons of a subnet by uid.
        fn get_neurons(netuid: u16) -> Vec<NeuronInfo<AccountId>>;
        /// One neuron.
        fn get_neuron(netuid: u16, uid: u16) -> Option<NeuronInfo<AccountId>>;
        /// All neurons of a subnet by uid, without weights and bonds.
        fn get_neurons_lite(netuid: u16) -> Vec<NeuronInfoLite<AccountId>>;
        /// One neuron, without weights and bonds.
        fn get_neuron_lite(netuid: u16, uid: u16) -> Option<NeuronInfoLite<AccountId>>;
    }

    /// Subnets.
    pub trait SubnetInfoRuntimeApi {
        /// The block that runs the subnet's next epoch if nothing changes.
        fn get_next_epoch_start_block(netuid: u16) -> Option<u64>;
    }

    /// Registration of subnets.
    pub trait SubnetRegistrationRuntimeApi {
        /// Cost of a new subnet, in rao.
        fn get_network_registration_cost() -> u64;
    }

    /// The pools.
    pub trait SwapRuntimeApi {
        /// Price of one alpha, in rao of TAO.
        fn current_alpha_price(netuid: u16) -> u64;
    }
}
