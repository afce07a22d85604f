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


def pass_blocks(count):
    """Seals empty blocks at once."""
    rpc("dev_seal", count)


def freeze():
    """Seals no more blocks, so that all who look see one state."""
    rpc("dev_setSealing", "manual")


def view(**seen):
    """Says what the client saw, for the test to compare."""
    print("view " + json.dumps(seen))
