# SPDX-License-Identifier: MIT
"""The network as a user finds it after the boot menu's first entry: an address by DHCP, a web page, and the words of
the command line that change this."""
import socket
import urllib.request

import pytest


@pytest.mark.parametrize("nic", ["e1000", "e1000e"])
def test_an_address_by_dhcp(start, nic):
    g = start(plain=False, nic=nic).login()
    g.until("ifconfig eth0 | grep 10.0.2.15")
    assert "Bcast:10.0.2.255  Mask:255.255.255.0" in g.sh("ifconfig eth0")
    routes = g.until("route -n | grep ^0.0.0.0")
    assert routes.split()[1] == "10.0.2.2"
    assert "nameserver 10.0.2.3" in g.until("cat /etc/resolv.conf")
    assert "3 packets received" in g.sh("ping -c 3 10.0.2.2")
    assert "eth0: 10.0.2.15/24 gateway 10.0.2.2" in g.until("dmesg | grep lease")
    assert g.sh("ps | grep -c '[u]dhcpc -b'").strip() == "1"


def test_the_shell_does_not_wait_for_dhcp(start, net):
    """Nobody answers on this wire."""
    g = start(plain=False, netns=net)
    g.login()
    assert float(g.sh("cut -d' ' -f1 /proc/uptime")) < 15
    assert "inet addr" not in g.sh("ifconfig eth0")
    assert g.sh("ps | grep -c '[u]dhcpc -b'").strip() == "1"
    assert "no DHCP server answers" in g.until("dmesg | grep DHCP", 30)
    g.sh("ifconfig eth0 10.0.2.15 netmask 255.255.255.0")
    assert net.run("ping -c 1 -W 2 10.0.2.15")[1] == 0


def test_a_lease_is_renewed_and_given_back(start):
    g = start(plain=False, nic="e1000e").login()
    g.until("ifconfig eth0 | grep 10.0.2.15")
    g.sh("kill -USR1 $(cat /run/udhcpc.eth0.pid); sleep 1")  # renew
    assert "10.0.2.15" in g.sh("ifconfig eth0")
    assert g.sh("route -n | grep -c ^0.0.0.0").strip() == "1"
    assert "2 packets received" in g.sh("ping -c 2 10.0.2.2")
    g.sh("kill -USR2 $(cat /run/udhcpc.eth0.pid)")  # release
    g.until("! ifconfig eth0 | grep 10.0.2.15")


@pytest.mark.parametrize("word,address", [("ip=10.0.2.77/24,10.0.2.2", "10.0.2.77"), ("ip=none", None)])
def test_another_address(start, word, address):
    g = start(plain=False, cmdline=word, nic="e1000e").login()
    out = g.sh("ifconfig eth0; ps; true")
    assert "udhcpc" not in out
    if address:
        assert f"inet addr:{address}" in out
        assert "2 packets received" in g.sh("ping -c 2 10.0.2.2")
    else:
        assert "inet addr" not in g.sh("ifconfig eth0; true")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_a_web_page(start):
    port = free_port()
    g = start(plain=False, nic="e1000e", hostfwd=[f"tcp:127.0.0.1:{port}-:80"]).login()
    g.until("ifconfig eth0 | grep 10.0.2.15")
    g.until("ps | grep '[h]ttpd'")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as page:
        assert page.status == 200 and "<title>Weft</title>" in page.read().decode()
    assert g.sh("ps | grep -c '[t]elnetd'; true").strip() == "0"


def test_a_shell_by_telnet_when_asked_for(start):
    port = free_port()
    g = start(plain=False, cmdline="services=http,telnet", nic="e1000e", hostfwd=[f"tcp:127.0.0.1:{port}-:23"]).login()
    g.until("ifconfig eth0 | grep 10.0.2.15")
    g.until("ps | grep '[t]elnetd'")
    with socket.create_connection(("127.0.0.1", port), 10) as s:
        s.settimeout(10)
        said = b""
        while not said.rstrip(b"\x1b[6n").endswith(b"# "):
            said += s.recv(4096)
        s.sendall(b"echo we''ft-$((6*7))\r\n")
        while b"weft-42" not in said:
            said += s.recv(4096)


def test_autorun_finds_the_network(start, tmp_path):
    (tmp_path / "extra/root").mkdir(parents=True)
    script = tmp_path / "extra/root/hello"
    script.write_text("#!/bin/sh\nping -c 1 -W 3 10.0.2.2 && echo the network is there\n")
    script.chmod(0o755)
    g = start(plain=False, cmdline="autorun=/root/hello,poweroff", extra=str(tmp_path / "extra"))
    g.expect("the network is there", 30)
    assert g.wait_exit(20) == 0
