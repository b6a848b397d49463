# SPDX-License-Identifier: MIT
"""IPv6 with a Linux host and Debian's tools at the other end: ping both ways, groups, ndisc6, traceroute6, duplicate
addresses, path MTU, UDP and TCP with what both bring along."""
import re

import net6
import pytest

GUEST, HOST = net6.GUEST, net6.HOST


@pytest.fixture
def guest(machine, wire):
    g = machine(netns=wire)
    g.ll = net6.setup(g, wire)
    return g


def test_link_local_address_is_there(guest):
    known = net6.addresses(guest)
    assert known[guest.ll][:2] == (64, 0x20) and known[GUEST][:2] == (64, 0)
    assert net6.addresses(guest, "lo") == {"::1": (128, 0x10, 0x80)}


def test_host_pings_both_addresses(guest, wire):
    assert net6.pings(wire, guest.ll)
    assert net6.pings(wire, GUEST)


@pytest.mark.parametrize("size", [0, 1, 1452, 1453, 5000, 65000])
def test_echoes_of_every_size(guest, wire, size):
    assert net6.pings(wire, GUEST, more=f"-s {size}")


def test_all_nodes_answer(guest, wire):
    """ff02::1 reaches the guest too: the answer comes from its link-local address."""
    out = net6.wait_for(lambda: (lambda o: guest.ll in o and o)(wire.run(f"ping -6 -c 2 -i 0.3 -W 2 ff02::1%{wire.tap}", 30)[0]), 20)
    assert out


def test_guest_pings_the_host(guest):
    assert "0% packet loss" in guest.sh(f"ping6 -c 2 -W 3 {HOST}", 30)
    assert "0% packet loss" in guest.sh("ping6 -c 2 -W 3 ::1", 30)


def test_guest_pings_a_link_local_address(guest, wire):
    assert "0% packet loss" in guest.sh(f"ping6 -c 2 -W 3 -I eth0 {net6.host_link_local(wire)}", 30)


def test_ndisc6_finds_the_guest(guest, wire):
    for address in GUEST, guest.ll:
        out, status = wire.run(f"ndisc6 -r 5 -w 2000 {address} {wire.tap}", 40)
        assert status == 0 and wire.guest_mac.upper() in out.upper(), out


def test_a_host_is_no_router(guest, wire):
    out, status = wire.run(f"rdisc6 -r 1 -w 1500 {wire.tap}", 20)
    assert status != 0, out


def test_traceroute_to_the_guest(guest, wire):
    out, status = wire.run(f"traceroute6 -n -q 1 -m 3 {GUEST}", 40)
    assert status == 0 and re.search(rf"^ *1  {GUEST}", out, re.M), out


def test_traceroute_from_the_guest(guest):
    out = guest.sh(f"traceroute6 -n -q 1 -m 3 {HOST}", 40)
    assert re.search(rf"^ *1  {HOST}", out, re.M), out


def test_neighbour_table_shows_the_host(guest, wire):
    assert net6.pings(wire, GUEST)
    assert wire.host_mac in guest.sh("ip -6 neigh show")


def test_duplicate_address_is_given_up(guest, wire):
    """The host has it already: the guest says so and never uses it."""
    taken = f"{net6.PREFIX}::dad"
    net6.host_address(wire, taken)
    guest.sh(f"ip -6 addr add {taken}/64 dev eth0")
    assert net6.wait_for(lambda: net6.addresses(guest).get(taken, (0, 0, 0))[2] & net6.FLAGS["dadfailed"], 30)
    assert re.search(r"dadfailed", guest.sh("ip -6 addr show dev eth0"))
    guest.sh(f"ip -6 addr del {taken}/64 dev eth0")
    wire.run(f"ip -6 addr del {taken}/64 dev {wire.tap}")


def test_host_notices_its_duplicate(guest, wire):
    """The guest defends its address against the host's check."""
    wire.run(f"ip -6 addr add {GUEST}/64 dev {wire.tap}")
    assert net6.wait_for(lambda: "dadfailed" in wire.run(f"ip -6 addr show dev {wire.tap}")[0], 20)
    wire.run(f"ip -6 addr del {GUEST}/64 dev {wire.tap}")
    assert net6.pings(wire, GUEST)


def test_udp_port_unreachable_reaches_the_program(guest, wire):
    out, status = wire.run(f"""/usr/bin/python3 -c '
import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.connect(("{GUEST}", 9))
s.settimeout(10)
for _ in range(5):
    try:
        s.send(b"x"); s.recv(1)
    except ConnectionRefusedError:
        print("refused"); break
'""", 60)
    assert out == "refused\n", out


def test_nc_over_tcp(guest, wire):
    guest.sh("((echo from the guest | nc -l -p 77 > /tmp/heard) &)")
    guest.serving(77)
    out, status = wire.run(f"""/usr/bin/python3 -c '
import socket
s = socket.create_connection(("{GUEST}", 77), 20)
s.sendall(b"from the host\\n")
s.shutdown(socket.SHUT_WR)
print(s.makefile().read(), end="")
'""", 60)
    assert out == "from the guest\n", out
    assert guest.until("grep . /tmp/heard") == "from the host\n"


def test_proc_files_of_linux(guest, wire):
    guest.sh("modprobe tcp; modprobe udp")
    assert net6.pings(wire, GUEST)
    for name in "if_inet6 ipv6_route tcp6 udp6 raw6 snmp6 igmp6 mcfilter6 sockstat6 rt6_stats".split():
        guest.sh(f"cat /proc/net/{name} > /dev/null")
    out = guest.sh("cat /proc/net/snmp6")
    counters = dict(re.findall(r"^(\w+)\s+(\d+)$", out, re.M))
    assert int(counters["Ip6InReceives"]) > 0 and int(counters["Icmp6InEchos"]) > 0
    assert int(counters["Icmp6OutNeighborAdvertisements"]) > 0


def test_settings_of_linux(guest):
    for name, value in (("forwarding", "0"), ("accept_ra", "1"), ("autoconf", "1"), ("hop_limit", "64"), ("dad_transmits", "1"), ("use_tempaddr", "0"),
                        ("accept_redirects", "1"), ("max_addresses", "16"), ("disable_ipv6", "0")):
        assert guest.sh(f"cat /proc/sys/net/ipv6/conf/eth0/{name}").strip() == value, name


def test_switched_off_and_on(guest, wire):
    guest.sh("echo 1 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6")
    assert net6.addresses(guest) == {}
    guest.sh("ping -c 1 -W 5 10.0.2.2")
    guest.sh("echo 0 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6")
    assert net6.load(guest) == guest.ll
    net6.setup(guest, wire)
    assert net6.pings(wire, GUEST)


def test_interface_down_and_up(guest, wire):
    guest.sh("ifconfig eth0 down; sleep 0.2; ifconfig eth0 up")
    net6.setup(guest, wire)
    assert net6.pings(wire, GUEST)


def test_forwarding_and_path_mtu(guest, wire):
    """As a router the guest says that a packet is too big for the next link, and that there is no way."""
    guest.sh("echo 1 > /proc/sys/net/ipv6/conf/all/forwarding; ip -6 route add unreachable 2001:db8:77::/48 2>/dev/null; true")
    wire.run(f"ip -6 route replace 2001:db8:78::/48 via {GUEST}")
    out = net6.wait_for(lambda: (lambda o: "Destination unreachable" in o and o)(wire.run("ping -6 -c 2 -W 2 2001:db8:78::1", 30)[0]), 20)
    assert out and GUEST in out
    guest.sh("echo 0 > /proc/sys/net/ipv6/conf/all/forwarding")
    wire.run("ip -6 route del 2001:db8:78::/48")
