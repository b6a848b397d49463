# SPDX-License-Identifier: MIT
"""ICMPv6 as another station sees it (RFC 4443): echo of all sizes and to groups, errors and what they quote,
silence where it is the rule, rates, ping sockets, and floods of everything."""
import re

import net6
import programs
import pytest

# Shared by every scapy program. G: the guest's link-local address, H: ours.
HEAD = """
G, H, M = {guest!r}, {host!r}, {mac!r}
E = Ether(dst=M)
def group_mac(a):
    return "33:33:" + ":".join("%02x" % b for b in socket.inet_pton(socket.AF_INET6, a)[12:])
def send(pkts):
    sendp([bytes(p) for p in (pkts if isinstance(pkts, list) else [pkts])], iface=tap)
def answers(pkts, seconds=1, count=0):
    def wanted(p):
        return p.haslayer(IPv6) and p[Ether].src == M and p[IPv6].nh == 58 and bytes(p[IPv6].payload)[0] < 130
    s = AsyncSniffer(iface=tap, lfilter=wanted, count=count, started_callback=lambda: send(pkts))
    s.start(); s.join(timeout=seconds)
    got = list(s.stop() if s.running else s.results)
    for p in got:
        body = bytes(p[IPv6].payload)
        assert in6_chksum(58, p[IPv6], body) == 0, p.show(dump=True)
    return got
def show(got):
    for p in got:
        body = bytes(p[IPv6].payload)
        print(body[0], body[1], struct.unpack("!I", body[4:8])[0], p[IPv6].src == G, p[IPv6].dst == H, len(p[IPv6]))
    if not got: print("silence")
nobody = IPv6(src=H, dst=G, nh=253) / Raw(b"x" * 32)
"""


@pytest.fixture
def guest(machine, wire):
    return machine(netns=wire, extra=programs.build())


@pytest.fixture
def said(guest, wire):
    """said(program): what a scapy program printed, line by line."""
    addresses = {"guest": net6.load(guest), "mac": wire.guest_mac, "host": net6.host_link_local(wire)}
    guest.sh("echo 100 > /proc/sys/net/ipv6/icmp/ratelimit")

    def run(program, seconds=40, ready=None):
        return wire.scapy(HEAD.format(**addresses) + program, seconds, ready).splitlines()

    run.guest, run.host = addresses["guest"], addresses["host"]
    return run


def test_ping_sockets_are_linuxs(guest):
    out, status = guest.run("/test/ip6ping", 60)
    assert status == 0, out


def test_answers_pings_of_all_sizes(said, wire):
    for size in (0, 1, 17, 56, 1000, 1451, 1452, 1453, 5000, 60000):
        out, status = wire.run(f"ping -6 -c 1 -W 3 -s {size} {said.guest}%tap0")
        assert status == 0, f"{size} bytes:\n{out}"


def test_answers_a_group_by_its_own_address(said, guest):
    ask = 'show(answers(Ether(dst=group_mac("ff02::1")) / IPv6(src=H, dst="ff02::1") / ICMPv6EchoRequest(id=9, seq=5, data=b"x" * 9)))'
    assert said(ask) == [f"129 0 {9 << 16 | 5} True True 57"]
    guest.sh("echo 1 > /proc/sys/net/ipv6/icmp/echo_ignore_multicast")
    assert said(ask) == ["silence"]
    guest.sh("echo 0 > /proc/sys/net/ipv6/icmp/echo_ignore_multicast")


def test_says_what_was_wrong(said):
    # an unknown protocol, at once and behind destination options; an unknown option that asks; too much to quote
    assert said("""
show(answers(E / nobody, count=1))
show(answers(E / IPv6(src=H, dst=G) / IPv6ExtHdrDestOpt(nh=253) / Raw(b"x" * 32), count=1))
show(answers(E / IPv6(src=H, dst=G) / IPv6ExtHdrDestOpt(nh=58, options=[HBHOptUnknown(otype=0x9e, optdata=b"xx")]) /
             Raw(bytes([128, 0, 0, 0]) + bytes(4)), count=1))
show(answers(E / IPv6(src=H, dst=G, nh=253) / Raw(b"x" * 1400), count=1))
""") == ["4 1 6 True True 120", "4 1 40 True True 128", "4 2 42 True True 104", "4 1 6 True True 1280"]


def test_nobody_at_the_port(said):
    assert said('show(answers(E / IPv6(src=H, dst=G) / UDP(sport=7, dport=9) / b"data", count=1))') == ["1 4 0 True True 100"]


def test_silence_where_it_is_the_rule(said):
    assert said("""
option = IPv6ExtHdrDestOpt(nh=58, options=[HBHOptUnknown(otype=0x9e, optdata=b"xx")])
pkts = [E / IPv6(src=H, dst=G) / option / Raw(bytes([t, 0, 0, 0]) + bytes(40)) for t in (1, 2, 3, 4, 100, 127, 137)]
pkts += [Ether(dst=group_mac("ff02::1")) / IPv6(src=H, dst="ff02::1", nh=253) / Raw(b"x" * 32),
         Ether(dst="ff:ff:ff:ff:ff:ff") / nobody, Ether(dst=group_mac("ff02::1")) / nobody,
         E / IPv6(src="::", dst=G, nh=253) / Raw(b"x"), E / IPv6(src="ff02::5", dst=G, nh=253) / Raw(b"x"),
         E / IPv6(src="::1", dst=G, nh=253) / Raw(b"x"),
         E / IPv6(src=H, dst=G) / ICMPv6EchoRequest(cksum=0x1234), E / IPv6(src=H, dst=G) / ICMPv6EchoRequest(code=1),
         E / IPv6(src=H, dst=G) / ICMPv6NIQueryName(data="guest"), E / IPv6(src=H, dst=G, nh=58) / Raw(b"\\x80\\0")]
show(answers(pkts, 2))
# about a request it may speak, and to a group where the option's type insists
show(answers(E / IPv6(src=H, dst=G) / option / Raw(bytes([128, 0, 0, 0]) + bytes(4)), count=1))
show(answers(Ether(dst=group_mac("ff02::1")) / IPv6(src=H, dst="ff02::1") / option / Raw(bytes([128, 0, 0, 0]) + bytes(4)), count=1))
""") == ["silence", "4 2 42 True True 104", "4 2 42 True True 104"]


def test_rate_is_limited(said, guest):
    guest.sh("echo 1000 > /proc/sys/net/ipv6/icmp/ratelimit; sleep 3")
    n, = said("print(len(answers([E / nobody] * 300, 2)))")
    assert 1 <= int(n) <= 12
    count = re.search(r"Icmp6OutRateLimitHost\s+(\d+)", guest.sh("cat /proc/net/snmp6"))
    assert int(count[1]) >= 280


def test_path_mtu_is_believed_within_bounds(said, guest, wire):
    """A forged Packet Too Big below 1280 is not believed; a proper one is, by what is sent afterwards."""
    heard = said("""
def wanted(p):
    return p.haslayer(IPv6) and p[Ether].src == M and p[IPv6].dst == H and p[IPv6].nh in (44, 58) and len(p[IPv6]) > 500
s = AsyncSniffer(iface=tap, lfilter=wanted, count=1, started_callback=ready)
s.start(); s.join(timeout=20)
first = s.results[0]
def too_big(mtu):
    send(E / IPv6(src=H, dst=G) / ICMPv6PacketTooBig(mtu=mtu) / bytes(first[IPv6])[:1000])
too_big(1000)
print(len(first[IPv6]), len(sniff(iface=tap, lfilter=wanted, count=1, timeout=5)[0][IPv6]))
too_big(1300)
print([len(p[IPv6]) for p in sniff(iface=tap, lfilter=wanted, count=1, timeout=5)])
""", ready=lambda: guest.sh(f"/test/ip6ping {said.host} eth0 1400 > /tmp/ping 2>&1 &"))
    assert heard == ["1448 1448", "[1296]"], heard


def test_survives_floods(said, guest, wire):
    wire.run(f"ping -6 -f -c 2000 -W 1 {said.guest}%tap0", 60)
    said("""
import random
random.seed(4443)
pkts = []
for n in range(3000):
    m = bytes([random.randrange(256), random.choice([0, 0, 1, 255]), 0, 0]) + random.randbytes(random.choice([0, 3, 4, 20, 48, 80, 600]))
    ip = IPv6(src=random.choice([H, H, "::", "2001:db8::77", G]), dst=random.choice([G, "ff02::1"]), nh=58, hlim=random.choice([255, 1, 64]))
    if n % 2 and len(m) > 50: m = m[:8] + bytes(IPv6(src=G, dst=H, nh=random.choice([58, 6, 17, 0, 43, 44, 60]))) + m[48:]
    m = m[:2] + struct.pack("!H", in6_chksum(58, ip, m)) + m[4:]
    pkts.append((E if ip.dst == G else Ether(dst=group_mac(ip.dst))) / ip / Raw(m))
send(pkts)
""", 90)
    out, status = wire.run(f"ping -6 -c 3 -W 3 {said.guest}%tap0")
    assert status == 0, out
    assert int(re.search(r"Icmp6InMsgs\s+(\d+)", guest.sh("cat /proc/net/snmp6"))[1]) > 2000
