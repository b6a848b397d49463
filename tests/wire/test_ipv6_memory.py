# SPDX-License-Identifier: MIT
"""More of IPv6 than a small machine can hold: addresses, routes and groups are given until one is refused with a
clear error. Both versions answer meanwhile, the module may leave with all of it, and memory comes back."""
import re

import net6
import programs
import pytest
from modules import memory

GUEST4 = "10.0.2.15"


@pytest.fixture
def guest(machine, wire):
    g = machine(netns=wire, extra=programs.build(), mem=64)
    net6.setup(g, wire)
    g.sh("modprobe udp")
    return g


def answers(net):
    assert net6.wait_for(lambda: net.run(f"ping -c 1 -W 3 {GUEST4}")[1] == 0, 20), "no answer over IPv4"
    assert net6.pings(net, net6.GUEST, 1), "no answer over IPv6"


def held(guest):
    now = memory(guest)
    return now["objects"], now["MemFree"] + now["Slab"]


def back(guest, before):
    def look():
        now = held(guest)
        return abs(now[0] - before[0]) < 100 and now[1] > before[1] - 512
    assert net6.wait_for(look, 30, 1), (before, held(guest), memory(guest))


def many(guest, net, what, n):
    """How many could be given, and why no more; they are taken away after a look at the machine."""
    guest.sh(f"mkfifo /tmp/go; /test/ip6many {what} {n} wait < /tmp/go > /tmp/many & exec 9> /tmp/go")
    assert net6.wait_for(lambda: "added" in guest.sh("cat /tmp/many"), 60)
    answers(net)
    guest.sh("echo > /tmp/go; exec 9>&-; wait; rm /tmp/go", 60)
    out = guest.sh("cat /tmp/many")
    said = re.search(r"added (\d+): (.*)\nkept (\d+)", out)
    assert said, out
    assert said[3] == "0", out
    return int(said[1]), said[2]


@pytest.mark.parametrize("what,n,least,why", [
    ("addresses", 2000, 200, "No buffer space available"),
    ("routes", 100000, 4000, "No buffer space available"),
    ("groups", 10000, 400, "No buffer space available"),
])
def test_bounds(guest, wire, what, n, least, why):
    many(guest, wire, what, 10)
    before = held(guest)
    count, said = many(guest, wire, what, n)
    assert least <= count < n and said == why, (count, said)
    back(guest, before)


def test_more_routes_than_memory(guest, wire):
    """The bound is root's to raise; then memory is the bound."""
    before = held(guest)
    guest.sh("echo 1000000 > /proc/sys/net/weft/max_routes")
    free = int(guest.sh("grep MemFree /proc/meminfo").split()[1])
    # a file system of memory takes half of it
    guest.sh(f"for f in /fill /tmp/fill; do dd if=/dev/zero of=$f bs=1k count={free // 2 - 4096} 2> /dev/null; done", 60)
    # no other program while there is none: it would be killed
    out = guest.run("/test/ip6many routes 100000", 60)[0]
    guest.sh("rm /fill /tmp/fill; echo 4096 > /proc/sys/net/weft/max_routes")
    assert re.search(r"added \d{4,5}: Out of memory\nkept 0", out), out
    back(guest, before)
    answers(wire)


def test_module_leaves_with_all_of_it(guest, wire):
    """What the user gave stays asleep meanwhile, and can be taken away afterwards."""
    before = held(guest)
    guest.sh("mkfifo /tmp/go; for w in addresses routes groups; do /test/ip6many $w 200 wait < /tmp/go > /tmp/$w & done; exec 9> /tmp/go")
    assert net6.wait_for(lambda: guest.sh("grep -l added /tmp/addresses /tmp/routes /tmp/groups | wc -l").strip() == "3", 60)
    guest.sh("rmmod ipv6", 10)
    assert net6.wait_for(lambda: wire.run(f"ping -c 1 -W 3 {GUEST4}")[1] == 0, 20)
    guest.sh("modprobe ipv6")
    assert net6.wait_for(lambda: net6.ready(guest, "2001:db8:7::c8"), 30)
    assert int(guest.sh("grep -c ff0500000000000000000008 /proc/net/igmp6")) == 200
    guest.sh("echo -e '\\n\\n\\n' > /tmp/go; exec 9>&-; wait; rm /tmp/go", 60)
    assert guest.sh("cat /tmp/addresses /tmp/routes /tmp/groups").count("kept 0") == 3
    net6.setup(guest, wire)
    back(guest, before)
