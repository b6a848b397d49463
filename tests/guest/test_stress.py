# SPDX-License-Identifier: MIT
"""A second of each of stress-ng's stressors that come close to the network, to signals and to timers; all of them,
and the fuzzer of system calls, take long: make stress. No rate is looked at, only that the program finds no fault,
ends by itself, and leaves a machine that answers."""
import re

import debian
import pytest

STRESSORS = ["epoll", "eventfd", "icmp-flood", "netdev", "poll", "rawpkt", "rawsock", "sigrt", "sockfd", "sockpair", "timer", "timerfd",
             "udp"]


@pytest.mark.limit(300)
def test_stressors_find_no_fault(machine):
    g = machine(extra=debian.extra("stress"), mem=512).quiet()
    g.sh("mkdir -p /tmp/s; cd /tmp/s")
    for name in STRESSORS:
        out, status = g.run(f"stress-ng --{name} 2 --timeout 1s --oomable 2>&1", 60)
        assert status == 0 and not re.search(r"\bfail:", out), f"{name}: status {status}\n{out}"
    g.sh("cd /; rm -rf /tmp/s; ping -c 1 127.0.0.1")
