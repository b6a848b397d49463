# SPDX-License-Identifier: MIT
"""Debian's tcpdump, unmodified, with its libpcap and the ring that libpcap maps."""
import os
import shutil
import subprocess
import time

import pytest


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """tcpdump of this machine with the libraries that it names, to lay over the root file system."""
    program = shutil.which("tcpdump")
    if not program:
        pytest.skip("no tcpdump here")
    top = tmp_path_factory.mktemp("tcpdump")
    wanted = [program]
    for line in subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout.splitlines():
        wanted += [word for word in line.split() if word.startswith("/")][:1]
    for path in wanted:
        where = os.path.join(top, path.lstrip("/"))
        os.makedirs(os.path.dirname(where), exist_ok=True)
        shutil.copy(os.path.realpath(path), where)
    return str(top), program


@pytest.fixture
def guest(machine, wire, root):
    return machine(netns=wire, nic="e1000e", extra=root[0], mem=512)


def dump(guest, root, command, traffic, count):
    """Lines of tcpdump while `traffic` runs."""
    guest.sh(f"{root[1]} -l -n -t -Z root {command} > /tmp/out 2> /tmp/err &")
    guest.until("grep 'listening on' /tmp/err")
    traffic()
    for _ in range(40):
        lines = guest.sh("cat /tmp/out").splitlines()
        if len(lines) >= count:
            break
        time.sleep(0.1)
    guest.sh("kill -INT %1; wait")
    return lines, guest.sh("cat /tmp/err")


def test_icmp_by_filter(guest, root, wire):
    lines, said = dump(guest, root, "-i eth0 icmp", lambda: wire.run("ping -c 3 -i 0.1 10.0.2.15"), 6)
    assert len(lines) == 6, (lines, said)
    assert lines[0].startswith("IP 10.0.2.2 > 10.0.2.15: ICMP echo request")
    assert lines[1].startswith("IP 10.0.2.15 > 10.0.2.2: ICMP echo reply")
    assert "6 packets captured" in said and "0 packets dropped by kernel" in said


def test_arp_and_bytes(guest, root, wire):
    def traffic():
        wire.scapy("sendp(Ether(dst='ff:ff:ff:ff:ff:ff') / ARP(pdst='10.0.2.15', psrc='10.0.2.2'))")

    lines, _ = dump(guest, root, "-i eth0 -e -x arp and arp[7]=2", traffic, 3)
    assert "52:54:00:12:34:56 > 52:54:00:aa:00:02, ethertype ARP" in lines[0], lines
    assert "10.0.2.15 is-at 52:54:00:12:34:56" in lines[0]
    assert "0x0000:  0001 0800 0604 0002 5254 0012 3456 0a00" in lines[1]


def test_any_interface(guest, root, wire):
    lines, said = dump(guest, root, "-i any icmp", lambda: guest.sh("ping -c 1 127.0.0.1"), 2)
    assert any("127.0.0.1 > 127.0.0.1: ICMP echo request" in line for line in lines), (lines, said)


def test_a_file_and_back(guest, root, wire):
    guest.sh(f"{root[1]} -Z root -i eth0 -c 4 -w /tmp/f.pcap icmp 2> /tmp/err &")
    guest.until("grep 'listening on' /tmp/err")
    wire.run("ping -c 2 -i 0.1 10.0.2.15")
    guest.sh("wait")
    out = guest.sh(f"{root[1]} -Z root -n -t -r /tmp/f.pcap 2>/dev/null")
    assert out.count("ICMP echo request") == 2 and out.count("ICMP echo reply") == 2


def test_a_list_of_interfaces(guest, root):
    out = guest.sh(f"{root[1]} -D")
    assert "eth0 [Up, Running" in out and "lo [Up, Running, Loopback" in out
