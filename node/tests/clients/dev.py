"""What the scenarios share: the dev chain's own methods, and how they end."""

import json
import sys
import urllib.request

URL = sys.argv[1]


def rpc(method, *params):
    """Asks the dev chain over HTTP."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    request = urllib.request.Request(
        URL.replace("ws://", "http://"), body.encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request) as response:
        answer = json.load(response)
    if "error" in answer:
        raise RuntimeError(f"{method}: {answer['error']}")
    return answer["result"]


def fund(address, tao):
    """Gives an account TAO."""
    rpc("dev_fund", address, str(tao * 10**9))


def pass_epochs(count, netuid=1):
    """Seals blocks at once, up to and with those of the subnet's next epochs. Shortly before an epoch
    the chain lets no owner change a subnet: after one there is time for it."""
    for _ in range(count):
        rpc("dev_warp", {"epoch": netuid})


# A round of the public beacon that is over, and its signature as drand publishes it.
ROUND = 1000
SIGNATURE = (
    "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125"
    "e342b73a8dd2bacbe47e4b6b63ed5e39"
)


def reveal():
    """Brings the pulse of the round to the chain, which has no network to fetch it."""
    rpc("dev_pulse", ROUND, "0x" + SIGNATURE)


def hide_until_round(encrypt_at_round):
    """What an SDK hides weights with, but for a round whose pulse we have: its own takes the round
    from this machine's clock."""

    def compact(number):
        # Lengths of this test are below 2^14.
        return bytes([number << 2]) if number < 64 else (number << 2 | 1).to_bytes(2, "little")

    def hide(*, uids, weights, version_key, hotkey, **_):
        payload = compact(len(hotkey)) + bytes(hotkey)
        for values in (uids, weights):
            payload += compact(len(values))
            payload += b"".join(int(value).to_bytes(2, "little") for value in values)
        payload += int(version_key).to_bytes(8, "little")
        sealed, _ = encrypt_at_round(payload, ROUND)
        # A byte vector and the round, of which the chain wants what the vector holds.
        sealed = bytes(sealed)[:-8]
        length = len(sealed) - 2
        assert sealed.startswith(compact(length)), "two bytes tell the length"
        return sealed[2:], ROUND

    return hide


def freeze():
    """Seals no more blocks, so that all who look see one state."""
    rpc("dev_setSealing", "manual")


def view(**seen):
    """Says what the client saw, for the test to compare."""
    print("view " + json.dumps(seen))
