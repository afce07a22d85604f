"""btcli of the Bittensor SDK 11.3, which hides weights until a round whose pulse we have.

`hiding_btcli.py URL BTCLI ARGS..`
"""

import runpy
import sys

import bittensor_core

from dev import hide_until_round

bittensor_core.get_encrypted_commit_v2 = hide_until_round(bittensor_core.encrypt_at_round)
btcli = sys.argv[2]
sys.argv[:3] = [btcli]
runpy.run_path(btcli, run_name="__main__")
