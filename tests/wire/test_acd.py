# SPDX-License-Identifier: MIT
"""Address conflict detection (RFC 5227): an address is asked for before it is used, when that is switched on."""
import re

from guest import wait_for


def test_a_free_address_is_used_after_three_probes(start, net):
    g = start(netns=net, nic="e1000e").login()
    g.sh("echo 1 > /proc/sys/net/ipv4/acd_probe")
    g.sh("ifconfig eth0:1 10.0.2.50 netmask 255.255.255.0")
    said = net.scapy("""
got = sniff(iface=tap, timeout=7, lfilter=lambda p: ARP in p and p[ARP].pdst == "10.0.2.50")
for p in got: print(p[ARP].op, p[ARP].psrc)
""")
    assert re.match(r"(1 0\.0\.0\.0\n){1,3}(1 10\.0\.2\.50\n)+$", said), said
    assert wait_for(lambda: net.run("ping -c 2 -i 0.3 -W 2 10.0.2.50")[1] == 0)


def test_an_address_in_use_is_given_up(start, net):
    g = start(netns=net, nic="e1000e").login()
    net._ip("-n", net.name, "addr", "add", "10.0.2.60/24", "dev", net.tap)
    g.sh("echo 1 > /proc/sys/net/ipv4/acd_probe")
    g.sh("ifconfig eth0:1 10.0.2.60 netmask 255.255.255.0")
    assert wait_for(lambda: "10.0.2.60" not in g.sh("ifconfig eth0:1; true")), "the address was kept"
    assert "used by another station" in g.sh("dmesg | sed 's/^/log /'")
    assert net.run("ping -c 1 -W 2 10.0.2.15")[1] == 0
