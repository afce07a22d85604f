"""A subnet from its creation to its first pay, with the Bittensor SDK 10.2."""

import os

import bittensor as bt
import bittensor.core.extrinsics.weights as weights_of_the_sdk
import bittensor_drand
from bittensor.utils.balance import Balance
from bittensor_wallet import Wallet

from dev import URL, freeze, fund, hide_until_round, pass_epochs, reveal, view


def wallet(name, hotkey):
    made = Wallet(name=name, hotkey=hotkey, path=os.path.join(os.environ["HOME"], "wallets"))
    made.create_if_non_existent(coldkey_use_password=False, hotkey_use_password=False)
    return made


def done(name, response):
    assert response.success, f"{name}: {response.message} {response.error}"


chain = bt.Subtensor(network=URL)
owner, val, miner = wallet("owner", "default"), wallet("val", "val"), wallet("val", "miner")
for coldkey in (owner.coldkeypub, val.coldkeypub):
    fund(coldkey.ss58_address, 5000)
assert chain.get_balance(owner.coldkeypub.ss58_address) == Balance.from_tao(5000)
done("transfer", chain.transfer(owner, val.coldkeypub.ss58_address, Balance.from_tao(3)))
assert chain.get_balance(val.coldkeypub.ss58_address) == Balance.from_tao(5003)

cost = chain.get_subnet_burn_cost()
done("create", chain.register_subnet(owner))
subnets = chain.all_subnets()
netuid = subnets[-1].netuid
assert chain.get_all_subnets_netuid() == [0, netuid], "the root and ours"
assert cost == Balance.from_tao(1000)
done("start", chain.start_call(owner, netuid=netuid))
for signer in (val, miner):
    done("register", chain.burned_register(signer, netuid=netuid))

hotkey = val.hotkey.ss58_address
stake = {"netuid": netuid, "hotkey_ss58": hotkey, "amount": Balance.from_tao(20)}
done("stake, hidden", chain.add_stake(val, **stake, mev_protection=True))
done("stake, open", chain.add_stake(val, **stake, mev_protection=False))
part = Balance.from_tao(5).set_unit(netuid)
done(
    "unstake",
    chain.unstake(val, netuid=netuid, hotkey_ss58=hotkey, amount=part, mev_protection=False),
)
axon = bt.Axon(val, port=8091, ip="0.0.0.0", external_ip="1.2.3.4", external_port=8091)
done("axon", chain.serve_axon(netuid=netuid, axon=axon))

pass_epochs(1)
call = chain.substrate.compose_call(
    "AdminUtils",
    "sudo_set_commit_reveal_weights_enabled",
    {"netuid": netuid, "enabled": False},
)
done("hyperparameter", chain.sign_and_send_extrinsic(call, owner))
assert not chain.get_subnet_hyperparameters(netuid).commit_reveal_weights_enabled

# The permit comes with an epoch, the pay with the next one.
pass_epochs(1)
done(
    "weights",
    chain.set_weights(val, netuid=netuid, uids=[2], weights=[1.0], mev_protection=False),
)
pass_epochs(1)
assert chain.metagraph(netuid).I[2] == 1.0, "the miner has all the incentive"

# Hidden weights pay as soon as the beacon has opened them, and no earlier.
call = chain.substrate.compose_call(
    "AdminUtils",
    "sudo_set_commit_reveal_weights_enabled",
    {"netuid": netuid, "enabled": True},
)
done("hyperparameter", chain.sign_and_send_extrinsic(call, owner))
weights_of_the_sdk.get_encrypted_commit = hide_until_round(bittensor_drand.encrypt_at_round)
done(
    "timelocked weights",
    chain.set_weights(val, netuid=netuid, uids=[0, 2], weights=[0.5, 0.5], mev_protection=False),
)
assert chain.metagraph(netuid).I[2] == 1.0
reveal()
pass_epochs(2)
freeze()
metagraph = chain.metagraph(netuid, lite=False)
assert abs(metagraph.I[2] - 0.5) < 0.01, f"shown weights pay: {metagraph.I}"
assert chain.get_stake(val.coldkeypub.ss58_address, hotkey, netuid).rao > 0
assert chain.get_delegates() and chain.get_metagraph_info(netuid)
neurons = chain.neurons_lite(netuid)
view(
    netuid=netuid,
    coldkey=val.coldkeypub.ss58_address,
    balance=chain.get_balance(val.coldkeypub.ss58_address).rao,
    neurons=[
        [neuron.hotkey, neuron.coldkey, neuron.total_stake.rao, neuron.axon_info.port]
        for neuron in neurons
    ],
)
