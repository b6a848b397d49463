# SPDX-License-Identifier: MIT
"""The whole stack in and out, again and again, while the host floods it with pings: every rmmod answers within
two seconds, nothing leaks, and it works afterwards."""
import subprocess
import time

import pytest
from modules import CHAIN, FOLDER, loaded, memory

# QEMU's e1000 receives nothing for a second after it was switched on: fewer rounds there, long enough to see traffic.
ROUNDS = [("e1000", 12, "sleep 1.3"), ("e1000e", 30, "ping -c 1 -W 1 10.0.2.2 > /dev/null; sleep 0.1")]


@pytest.fixture
def flood(net):
    proc = subprocess.Popen([*net.prefix, "ping", "-f", "-q", "-s", "200", "10.0.2.15"], stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield proc
    proc.terminate()
    proc.wait(5)


SCRIPT = """cd {folder}
for m in {chain}; do insmod $m.ko || exit 1; done
ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up || exit 2
{work}
ifconfig eth0 down || exit 3
for m in {back}; do
  a=$(cut -d' ' -f1 /proc/uptime)
  rmmod $m || exit 4
  b=$(cut -d' ' -f1 /proc/uptime)
  awk "BEGIN {{ if ($b - $a > 2) exit 1 }}" || {{ echo $m took from $a to $b; exit 5; }}
done
"""


def script(work):
    return SCRIPT.format(folder=FOLDER, chain=" ".join(CHAIN), back=" ".join(reversed(CHAIN)), work=work)


@pytest.mark.limit(300)
@pytest.mark.parametrize("nic,rounds,work", ROUNDS, ids=[row[0] for row in ROUNDS])
def test_stack_cycles_under_a_flood(start, net, flood, nic, rounds, work):
    g = start(netns=net, nic=nic, entry="manual", smp=2).login().quiet()
    g.sh("cat > /tmp/cycle <<'END'\n" + script(work) + "\nEND")
    for _ in range(2):
        g.sh("sh /tmp/cycle", 30)
    before = memory(g)
    for i in range(rounds):
        out, status = g.run("sh /tmp/cycle", 30)
        assert status == 0, f"round {i}: status {status}\n{out}\n" + g.sh("dmesg | tail -n 20")
    assert loaded(g) == set()
    after = memory(g)
    assert abs(after["MemFree"] - before["MemFree"]) < 800, (before, after)
    assert abs(after["objects"] - before["objects"]) < 60 and after["packets"] <= before["packets"] + 2, (before, after)
    flood.terminate()
    flood.wait(5)
    g.sh("modprobe e1000; modprobe ipv4; modprobe icmp; ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up")
    out, status = net.run("ping -c 1 -w 15 10.0.2.15")
    assert status == 0, out


@pytest.mark.limit(300)
def test_stack_is_torn_out_of_the_flood(start, net, flood):
    """Without `ifconfig down` first: rmmod -f takes the interface down while packets arrive."""
    g = start(netns=net, entry="manual", smp=2).login().quiet()
    for i in range(10):
        for name in CHAIN:
            g.sh(f"insmod {FOLDER}/{name}.ko")
        g.sh("ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up; sleep 0.2")
        order = (["e1000", "icmp", "ipv4", "ethernet", "ip"], ["icmp", "ipv4", "e1000", "ethernet", "ip"],
                 ["ipv4", "icmp", "e1000", "ethernet", "ip"])[i % 3]
        for name in order:
            began = time.monotonic()
            out, status = g.run(f"rmmod -f {name}", 10)
            assert status == 0, f"round {i}, {name}: {out}" + g.sh("dmesg | tail -n 20")
            assert time.monotonic() - began < 3
    assert loaded(g) == set()


@pytest.mark.limit(240)
@pytest.mark.parametrize("name", ["icmp", "ipv4"])
def test_one_protocol_cycles_under_a_flood(start, net, flood, name):
    g = start(netns=net, smp=2).login().quiet()
    g.sh("cd " + FOLDER)
    out, status = g.run(f"i=0; while [ $i -lt 60 ]; do rmmod {name} && insmod {name}.ko || exit 1; i=$((i+1)); done; true", 120)
    assert status == 0, out
    g.run("ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up")
    flood.terminate()
    flood.wait(5)
    assert net.run("ping -c 1 -w 15 10.0.2.15")[1] == 0
