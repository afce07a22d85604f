"""A subnet from its creation to its first pay, with btcli of the Bittensor SDK 11.3."""

import json
import os
import subprocess
import sys

from dev import URL, freeze, fund, pass_epochs, reveal, view

BTCLI = os.path.join(os.path.dirname(sys.executable), "btcli")
FOLDER = os.path.join(os.environ["HOME"], ".bittensor", "wallets")
HIDING = os.path.join(os.path.dirname(__file__), "hiding_btcli.py")


def btcli(line, *more, program=(BTCLI,)):
    """Runs a command and gives its JSON."""
    command = [*program, *line.split(), "--network", URL, "--json", *more]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, f"{line}: {ran.stdout}{ran.stderr}"
    return json.loads(ran.stdout)


def tx(line, signer, **how):
    assert btcli(f"tx {line} -w {signer[0]} -H {signer[1]} --yes", **how)["success"], line


def address(wallet, key):
    with open(os.path.join(FOLDER, wallet, key)) as file:
        return json.load(file)["ss58Address"]


owner, val, miner = ("owner", "hot"), ("val", "val"), ("val", "miner")
btcli("wallet create --no-password -w owner -H hot")
btcli("wallet create --no-password -w val -H val")
btcli("wallet new-hotkey -w val -H miner")
coldkey, hotkey = address("val", "coldkeypub.txt"), address("val", "hotkeys/val")
fund(address("owner", "coldkeypub.txt"), 5000)
fund(coldkey, 5000)
assert btcli("wallet balance owner")["free_tao"] == 5000
tx(f"transfer --dest {coldkey} --amount-tao 3", owner)
assert btcli("wallet balance val")["free_tao"] == 5003

tx("register-subnet", owner)
assert [subnet["netuid"] for subnet in btcli("subnets list")] == [0, 1]
tx("start-call --netuid 1", owner)
# This client refuses to register unless hidden; the rest it hides by default.
tx("burned-register --netuid 1", val)
tx("burned-register --netuid 1", miner)
tx(f"add-stake --netuid 1 --hotkey {hotkey} --amount-tao 20", val)
tx(f"remove-stake --netuid 1 --hotkey {hotkey} --amount-alpha 5", val)
tx("serve-axon --netuid 1 --ip 1.2.3.4 --port 8091", val)
pass_epochs(1)
tx("set-hyperparameter --netuid 1 --name commit_reveal_weights_enabled --value false", owner)
assert btcli("subnets hyperparameters 1")["commit_reveal_weights_enabled"] is False
assert btcli("query epoch-status --netuid 1")["tempo"] == 360

# The permit comes with an epoch, the pay with the next one.
pass_epochs(1)
tx("set-weights --netuid 1 --uids 2 --weights 1", val)
pass_epochs(1)
assert btcli("query neurons --netuid 1")[2]["raw"]["incentive"] == 65535

# Hidden weights pay as soon as the beacon has opened them, and no earlier.
tx("set-hyperparameter --netuid 1 --name commit_reveal_weights_enabled --value true", owner)
hiding = (sys.executable, HIDING, URL, BTCLI)
tx("set-weights --netuid 1 --uids 0,2 --weights 1,1", val, program=hiding)
assert btcli("query neurons --netuid 1")[2]["raw"]["incentive"] == 65535
reveal()
pass_epochs(2)
freeze()
metagraph = btcli("query metagraph --netuid 1")
neurons = [neuron["raw"] for neuron in btcli("query neurons --netuid 1")]
assert abs(neurons[2]["incentive"] - 32767) < 655, neurons[2]
assert metagraph["hotkeys"] == [neuron["hotkey"] for neuron in neurons]
view(
    netuid=1,
    coldkey=coldkey,
    balance=round(btcli("wallet balance val")["free_tao"] * 10**9),
    neurons=[
        [
            neuron["hotkey"],
            neuron["coldkey"],
            sum(amount for _, amount in neuron["stake"]),
            neuron["axon_info"]["port"],
        ]
        for neuron in neurons
    ],
)
