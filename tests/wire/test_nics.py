# SPDX-License-Identifier: MIT
"""Every card that a driver claims, on every machine type: it is found, resolves, answers, and sends."""
import re
import subprocess

import pytest
from modules import FOLDER, outside

PEER = "10.0.2.2"
CARDS = [
    # card, machine, processors
    ("e1000", "pc", 1),
    ("e1000", "q35", 2),
    ("e1000-82545em", "pc", 4),
    ("e1000-82545em", "q35", 1),
    ("e1000e", "pc", 2),
    ("e1000e", "q35", 4),
    ("virtio-net-pci", "pc", 2),
    ("virtio-net-pci,disable-modern=on", "q35", 1),
    ("virtio-net-pci,disable-legacy=on", "q35", 4),
    ("virtio-net-pci,disable-modern=on,vectors=0", "pc", 1),
    ("virtio-net-pci,disable-legacy=on,vectors=0,mrg_rxbuf=off,event_idx=off,csum=off", "pc", 2),
]


@pytest.mark.parametrize("nic,machine_type,smp", CARDS)
def test_card_answers_and_sends(start, net, nic, machine_type, smp):
    g = start(netns=net, nic=nic, machine=machine_type, smp=smp).login()
    assert "52:54:00:12:34:56" in g.sh("ifconfig eth0").lower()
    g.sh(f"ping -c 3 {PEER}", 15)
    for size in (0, 18, 1472):
        out, status = net.run(f"ping -c 2 -i 0.2 -W 2 -s {size} 10.0.2.15")
        assert status == 0, out
    out, status = net.run("ping -c 20 -i 0.01 -s 8000 -W 2 10.0.2.15")
    assert status == 0 and " 0% packet loss" in out, out


def test_driver_outside_the_tree(start, net):
    g = start(netns=net, nic="rtl8139", entry="manual", extra=outside("rtl8139")).login()
    for name in ("ip", "ethernet", "ipv4", "icmp"):
        g.sh(f"insmod {FOLDER}/{name}.ko")
    for _ in range(2):
        g.sh("insmod /lib/outside/rtl8139.ko")
        g.sh("ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up")
        g.sh(f"ping -c 3 {PEER}", 15)
        out, status = net.run("ping -c 50 -i 0.01 -s 1400 -W 2 10.0.2.15")
        assert status == 0 and " 0% packet loss" in out, out
        g.sh("ifconfig eth0 down; rmmod rtl8139")


def test_two_cards(start, net):
    g = start(netns=net, qemu_args=["-netdev", "user,id=net1,net=10.9.0.0/24", "-device", "e1000e,netdev=net1"]).login()
    g.sh("ifconfig eth1 10.9.0.15 netmask 255.255.255.0 up")
    g.sh("ping -c 2 10.9.0.2", 15)
    g.sh(f"ping -c 2 {PEER}", 15)


@pytest.fixture
def g(machine, wire):
    guest = machine(netns=wire)
    if guest.run(f"ping -c 1 -W 1 {PEER}")[1]:
        guest.sh("ifconfig eth0 down; ifconfig eth0 arp -promisc 10.0.2.15 netmask 255.255.255.0 mtu 1500 up; "
                 f"route add default gw {PEER}; ping -c 1 -W 2 {PEER}", 15)
    return guest


def test_interface_says_what_it_is(g):
    out = g.sh("ifconfig eth0")
    assert re.search(r"Link encap:Ethernet +HWaddr 52:54:00:12:34:56", out)
    assert "inet addr:10.0.2.15  Bcast:10.0.2.255  Mask:255.255.255.0" in out
    assert "UP BROADCAST RUNNING MULTICAST  MTU:1500" in out
    assert re.search(r"lo +Link encap:Local Loopback\s+inet addr:127.0.0.1 +Mask:255.0.0.0\s+UP LOOPBACK RUNNING",
                     g.sh("ifconfig lo"))


def test_routes(g, wire):
    table = g.sh("route -n")
    assert re.search(r"^0\.0\.0\.0 +10\.0\.2\.2 +0\.0\.0\.0 +UG .*eth0", table, re.M)
    assert re.search(r"^10\.0\.2\.0 +0\.0\.0\.0 +255\.255\.255\.0 +U .*eth0", table, re.M)
    wire.run("ip addr add 10.55.0.1/32 dev tap0")
    g.sh("route del default")
    assert "Network is unreachable" in g.run("ping -c 1 10.55.0.1")[0]
    g.sh(f"route add -net 10.55.0.0 netmask 255.255.255.0 gw {PEER}; ping -c 1 10.55.0.1", 15)
    g.sh(f"route add -host 10.55.0.9 reject; route add default gw {PEER}")
    assert g.run("ping -c 1 10.55.0.9")[1] != 0
    assert g.run("route add -net 10.66.0.0 netmask 255.255.255.0 gw 192.0.2.1")[1] != 0
    assert g.run("route del -net 10.77.0.0 netmask 255.255.255.0")[1] != 0
    g.sh("route del -net 10.55.0.0 netmask 255.255.255.0; route del -host 10.55.0.9 reject")


def test_arp_table(g):
    g.sh(f"ping -c 1 {PEER}")
    assert "52:54:00:aa:00:02" in g.sh("arp -n").lower()
    g.sh(f"arp -d {PEER}")
    assert "52:54:00:aa:00:02" not in g.sh("arp -n").lower()
    g.sh(f"ping -c 1 {PEER}; arp -s 10.0.2.77 02:00:00:00:00:77")
    out = g.sh("arp -n")
    assert re.search(r"10\.0\.2\.77\).* 02:00:00:00:00:77 .*PERM", out), out
    g.sh("arp -d 10.0.2.77")


def test_static_neighbour_is_used(g):
    g.sh(f"arp -s {PEER} 02:00:00:00:00:99")
    assert g.run(f"ping -c 1 -W 1 {PEER}")[1] != 0
    g.sh(f"arp -d {PEER}; ping -c 1 -W 2 {PEER}")


def test_interface_without_arp(g, wire):
    g.sh("ifconfig eth0 -arp")
    assert "NOARP" in g.sh("ifconfig eth0")
    said = wire.scapy("""
r = srp1(Ether(dst="ff:ff:ff:ff:ff:ff") / ARP(pdst="10.0.2.15", psrc="10.0.2.2"), timeout=1, iface=tap)
print("answer" if r else "silence")
""")
    assert said.strip() == "silence"
    g.sh("ifconfig eth0 arp")
    assert "NOARP" not in g.sh("ifconfig eth0")
    g.sh(f"ping -c 1 -W 2 {PEER}")


def test_promiscuous_mode(g):
    g.sh("ifconfig eth0 promisc")
    assert "PROMISC" in g.sh("ifconfig eth0")
    g.sh(f"ping -c 1 {PEER}; ifconfig eth0 -promisc")
    assert "PROMISC" not in g.sh("ifconfig eth0")


def test_mtu(g, wire):
    g.sh("ifconfig eth0 mtu 600")
    assert "MTU:600" in g.sh("ifconfig eth0")
    g.sh(f"ping -c 2 -s 3000 {PEER}", 15)
    out, status = wire.run("ping -c 2 -s 2000 -W 2 10.0.2.15")
    assert status == 0, out
    assert g.run("ifconfig eth0 mtu 20")[1] != 0
    assert g.run("ifconfig eth0 mtu 999999")[1] != 0
    g.sh("ifconfig eth0 mtu 1500")


def test_second_address(g, wire):
    g.sh("ifconfig eth0:1 10.0.2.16 netmask 255.255.255.0 up")
    assert "10.0.2.16" in g.sh("ifconfig eth0:1")
    assert wire.run("ping -c 2 -i 0.2 -W 2 10.0.2.16")[1] == 0
    g.sh("ifconfig eth0:1 down")
    assert wire.run("ping -c 1 -W 1 10.0.2.16")[1] != 0
    assert wire.run("ping -c 1 -W 2 10.0.2.15")[1] == 0


def test_address_changes(g, wire):
    g.sh("ifconfig eth0 10.0.2.44 netmask 255.255.255.0")
    assert wire.run("ping -c 1 -W 2 10.0.2.44")[1] == 0
    assert wire.run("ping -c 1 -W 1 10.0.2.15")[1] != 0
    g.sh(f"ifconfig eth0 10.0.2.15 netmask 255.255.255.0; route add default gw {PEER} 2>/dev/null; true")
    assert wire.run("ping -c 1 -W 2 10.0.2.15")[1] == 0


def test_hardware_address_changes(g, wire):
    g.sh("ifconfig eth0 down; ifconfig eth0 hw ether 02:11:22:33:44:55; ifconfig eth0 up")
    wire.run("ip neigh flush all")
    out, status = wire.run("ping -c 1 -W 2 10.0.2.15; ip neigh show 10.0.2.15")
    assert "02:11:22:33:44:55" in out, out
    g.sh("ifconfig eth0 down; ifconfig eth0 hw ether 52:54:00:12:34:56; ifconfig eth0 up")
    wire.run("ip neigh flush all")
    assert wire.run("ping -c 1 -W 2 10.0.2.15")[1] == 0
    g.run(f"route add default gw {PEER}")


def test_traceroute(g):
    out = g.run(f"traceroute -n -q 1 -m 3 -w 2 {PEER}", 30)[0]
    assert PEER in out.splitlines()[-1], out


def test_ping_options(g):
    assert "64 bytes from" in g.sh(f"ping -c 1 -s 56 -t 5 {PEER}")
    assert g.sh(f"ping -c 2 -s 0 {PEER}").count("8 bytes from") == 2
    assert "65008 bytes from" in g.sh(f"ping -c 1 -s 65000 {PEER}", 15)
    assert g.run("ping -c 1 -W 1 10.0.2.200")[1] != 0
    assert "bad address" in g.run("ping -c 1 no.such.host")[0]
    assert "127.0.0.1" in g.sh("ping -c 1 localhost")
    assert g.sh("ping -c 3 -A 10.0.2.15").count("64 bytes from 10.0.2.15") == 3


def test_frames_of_any_length(g, wire):
    """From the empty frame to what the TAP takes: nothing but pings gets an answer, nothing stops."""
    said = wire.scapy("""
import random, socket, struct
random.seed(5)
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind((tap, 0))
sent = refused = 0
head = bytes.fromhex("525400123456525400aa0002")
for n in list(range(0, 130)) + [500, 1513, 1514, 1515, 1518, 1519, 1522, 2000, 2047, 2048, 2049, 4096, 9000, 16000, 16384, 30000, 65535]:
    for kind in (b"\\x08\\x00", b"\\x08\\x06", b"\\x81\\x00", b"\\x05\\xdc", random.randbytes(2)):
        frame = (head + kind + random.randbytes(max(0, n - 14)))[:n]
        try:
            s.send(frame)
            sent += 1
        except OSError:
            refused += 1
print(sent, refused)
""", timeout=60)
    assert int(said.split()[0]) > 300
    out, status = wire.run("ping -c 3 -i 0.2 -W 2 10.0.2.15")
    assert status == 0, out
    g.sh(f"ping -c 1 {PEER}")


def test_frames_longer_than_the_mtu(g, wire):
    """A peer with a larger MTU: longer frames are dropped and counted by the card or the driver."""
    wire.run("ip link set tap0 mtu 16000")
    try:
        said = wire.scapy("""
import random
random.seed(6)
for n in [1500, 1501, 1504, 1505, 1518, 1519, 2030, 2034, 2048, 2100, 4000, 4096, 8192, 9000, 15000]:
    for i in range(20):
        sendp(Ether(dst="52:54:00:12:34:56") / IP(dst="10.0.2.15", src="10.0.2.2") / ICMP() / random.randbytes(n - 28), iface=tap)
print("sent")
""", timeout=60)
        assert said.strip() == "sent"
    finally:
        wire.run("ip link set tap0 mtu 1500")
    out, status = wire.run("ping -c 3 -i 0.2 -W 2 10.0.2.15")
    assert status == 0, out


def test_link_goes_and_comes(g, wire):
    g.qmp("set_link", name="net0", up=False)
    g.until("! ifconfig eth0 | grep RUNNING")
    assert g.run(f"ping -c 1 -W 1 {PEER}")[1] != 0
    g.qmp("set_link", name="net0", up=True)
    g.until("ifconfig eth0 | grep RUNNING")
    assert wire.run("ping -c 2 -i 0.3 -W 2 10.0.2.15")[1] == 0


def test_flood_from_both_sides(g, wire):
    other = subprocess.Popen([*wire.prefix, "ping", "-f", "-c", "3000", "-W", "1", "10.0.2.15"],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    out = g.sh(f"ping -c 300 -A -s 1000 {PEER} | tail -n 3", 60)
    said = other.communicate(timeout=60)[0]
    assert re.search(r"30\d packets transmitted|300 packets transmitted", out), out
    received = int(re.search(r"(\d+) received", said)[1])
    assert received > 2900, said


def test_counters_agree(g, wire):
    def counters():
        line = next(row for row in g.sh("cat /proc/net/dev").splitlines() if "eth0:" in row).split(":")[1].split()
        return int(line[1]), int(line[9])

    rx, tx = counters()
    wire.run("ping -c 50 -i 0.01 -W 2 10.0.2.15")
    rx2, tx2 = counters()
    assert 50 <= rx2 - rx <= 60 and 50 <= tx2 - tx <= 60
    assert int(g.sh("cat /sys/class/net/eth0/statistics/rx_packets 2>/dev/null || echo 0")) in (0, rx2)
