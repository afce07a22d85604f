"""A subnet from its creation to its first stake, with bittensor-cli 9.23."""

import json
import os
import subprocess
import sys

from dev import URL, freeze, fund, pass_epochs, view

BTCLI = os.path.join(os.path.dirname(sys.executable), "btcli")
FOLDER = os.path.join(os.environ["HOME"], "wallets")


def btcli(line, signer=None):
    """Runs a command and gives what it printed."""
    command = [BTCLI, *line.split()]
    if signer:
        wallet, hotkey = signer
        command += ["--wallet-name", wallet, "--hotkey", hotkey, "--wallet-path", FOLDER]
    environment = dict(os.environ, COLUMNS="200")
    ran = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert ran.returncode == 0, f"{line}: {ran.stdout}{ran.stderr}"
    return ran.stdout


def ask(line, signer=None):
    """Runs a command on the chain and gives its JSON."""
    return json.loads(btcli(f"{line} --json-output --network {URL}", signer))


def address(wallet):
    with open(os.path.join(FOLDER, wallet, "coldkeypub.txt")) as file:
        return json.load(file)["ss58Address"]


owner, val = ("owner", "hot"), ("val", "hot")
for signer in (owner, val):
    btcli("wallet create --no-use-password --n-words 12 --json-output", signer)
    fund(address(signer[0]), 5000)
coldkey = address("val")
assert ask("wallet balance", owner)["totals"]["free"] == 5000
assert ask(f"wallet transfer --destination {coldkey} --amount 3 --no-prompt", owner)["success"]
assert ask("wallet balance", val)["totals"]["free"] == 5003

identity = (
    "--subnet-name test --github-repo https://github.com/iota/iota --subnet-contact a@example.com"
    " --subnet-url https://example.com --discord x --description x --additional-info x"
    " --logo-url https://example.com/x.png"
)
# Hidden, as this client does by default.
assert ask(f"subnets create {identity} --no-prompt", owner)["netuid"] == 1
assert ask("subnets get-identity --netuid 1")["subnet_name"] == "test"
assert set(ask("subnets list")["subnets"]) == {"0", "1"}
started = btcli(f"subnets start --netuid 1 --no-prompt --network {URL}", owner)
assert "Successfully started" in started, started
assert ask("subnets register --netuid 1 --no-prompt", val)["success"]
for way in ("--unsafe", "--safe --tolerance 0.1", "--unsafe --no-mev-protection"):
    added = ask(f"stake add --netuid 1 --amount 10 {way} --no-prompt", val)
    assert list(added["staking_success"]["1"].values()) == [True], added
removed = ask("stake remove --netuid 1 --amount 2 --unsafe --no-prompt", val)
assert removed[0]["success"], removed
axon = btcli(f"axon set --netuid 1 --ip 1.2.3.4 --port 8091 --no-prompt --network {URL}", val)
assert "Axon set successfully" in axon, axon
pass_epochs(1)
changed = ask("sudo set --netuid 1 --param immunity_period --value 400 --no-prompt", owner)
assert changed["success"], changed
hyperparameters = {
    entry["hyperparameter"]: entry["value"] for entry in ask("subnets hyperparameters --netuid 1")
}
assert hyperparameters["immunity_period"] == 400, hyperparameters

freeze()
assert len(ask("subnets show --netuid 1 --no-prompt")["uids"]) == 2
assert ask("wallet overview", val)["subnets"][0]["netuid"] == 1
(stakes,) = ask("stake list --no-prompt", val)["stake_info"].items()
view(
    netuid=1,
    coldkey=coldkey,
    balance=round(ask("wallet balance", val)["totals"]["free"] * 10**9),
    stake=[stakes[0], round(stakes[1][0]["stake_value"] * 10**9)],
)
