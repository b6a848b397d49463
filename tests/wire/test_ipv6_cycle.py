# SPDX-License-Identifier: MIT
"""ipv6.ko leaves and comes back, again and again, while an IPv4 stream runs: no connection is lost, the stream's
throughput beside an undisturbed run is printed, nothing is left. `make soak` does it a hundred times."""
import os

import ipv6_cycle

ROUNDS = int(os.environ.get("WEFT_ROUNDS", "10"))


def test_reloaded_under_an_ipv4_stream(start, net, capsys):
    said = ipv6_cycle.run(start, net, ROUNDS, undisturbed_seconds=3)
    with capsys.disabled():
        print(f"\n{said}")
