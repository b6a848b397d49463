# SPDX-License-Identifier: MIT
"""Hostile and odd packets from a peer on the same link. After each family of cases the machine still answers ping
at once, has counted the drops under the names expected here, holds no packets, and has said on the wire what the
RFCs want said. One machine takes them all, as a real one would."""
import hostile
import pytest

GUEST = "10.0.2.15"
# Shared by every scapy program: the guest, ourselves, and a way to see answers.
HEAD = """
import struct
G, H, GM, HM = "10.0.2.15", "10.0.2.2", "52:54:00:12:34:56", "52:54:00:aa:00:02"
E = Ether(src=HM, dst=GM)
B = Ether(src=HM, dst="ff:ff:ff:ff:ff:ff")
def send(pkts, times=1):
    sendp([bytes(p) for p in (pkts if isinstance(pkts, list) else [pkts])] * times, iface=tap)
def answers(pkts, seconds=1, want=ICMP):
    s = AsyncSniffer(iface=tap, lfilter=lambda p: p.haslayer(Ether) and p[Ether].src == GM and p.haslayer(want),
                     started_callback=lambda: send(pkts))
    s.start(); s.join(timeout=seconds)
    return list(s.stop() if s.running else s.results)
def show(got):
    for p in got:
        if ARP in p: print("arp", p[ARP].op, p[ARP].psrc, p[ARP].pdst)
        elif ICMP in p: print("icmp", p[ICMP].type, p[ICMP].code)
def frag(data, off, more, **kw):
    return E/IP(src=H, dst=G, id=kw.get("id", 77), flags="MF" if more else 0, frag=off // 8, proto=kw.get("proto", 1))/Raw(data)
def echo(n, id=9):
    return bytes(ICMP(type=8, id=id, seq=1)/Raw(bytes(i & 255 for i in range(n))))
def pieces(data, size):
    return [(data[i:i + size], i, i + size < len(data)) for i in range(0, len(data), size)]
"""


@pytest.fixture(scope="module")
def target(machines):
    net = machines.net()
    guest = machines.get(netns=net, mem=64)
    assert alive(net), "no answer to the first ping"
    return guest, net


def alive(net):
    return net.run(f"ping -c 1 -w 15 {GUEST}")[1] == 0  # again each second: this host may be busy with other things


# name, program, drop names that must grow (all of them), pattern that the program's output must match
CASES = [
    ("arp_malformed", """
a = bytes(ARP(op=1, hwsrc=HM, psrc=H, pdst=G))
send([B/Raw(a[:n]) for n in range(0, 28)])
for off, val in ((0, 9), (2, 9), (4, 5), (5, 5), (6, 9), (8, 1)):
    b = bytearray(a); b[off] = val; send(Ether(src=HM, dst=GM, type=0x806)/Raw(bytes(b)))
send([Ether(src=HM, dst=GM, type=0x806)/Raw(a[:n]) for n in range(0, 28)])
""", ["neighbour_malformed"], None),
    ("arp_claim_of_our_address_is_defended", """
show(answers(B/ARP(op=1, hwsrc=HM, psrc=G, pdst=G), 1, ARP))
""", [], r"arp 1 10\.0\.2\.15 10\.0\.2\.15"),
    ("arp_probe_answered", """
show(answers(B/ARP(op=1, hwsrc=HM, psrc="0.0.0.0", pdst=G), 1, ARP))
""", [], r"arp 2 10\.0\.2\.15 0\.0\.0\.0"),
    ("arp_flood_is_bounded", """
send([E/ARP(op=1, hwsrc="02:00:00:00:%02x:%02x" % (i >> 8, i & 255), psrc="10.0.2.%d" % (i % 200 + 20), hwdst=GM, pdst=G) for i in range(2000)])
""", [], None),
    ("arp_poison_then_heal", """
send(E/ARP(op=2, hwsrc="02:00:00:00:00:66", psrc=H, hwdst=GM, pdst=G))
send(E/ARP(op=2, hwsrc=HM, psrc=H, hwdst=GM, pdst=G))
""", [], None),
    ("ethernet_odd_frames", """
send([Ether(src=HM, dst=GM, type=t)/Raw(b"x" * n) for t in (0, 1, 46, 0x5dc, 0x5dd, 0x88b5, 0xffff) for n in (0, 1, 46, 1500)])
send(Ether(src="ff:ff:ff:ff:ff:ff", dst=GM)/IP(src=H, dst=G)/ICMP())
send(Ether(src=HM, dst=GM, type=0x8100)/Raw(struct.pack(">HH", 5, 0x800) + bytes(IP(src=H, dst=G)/ICMP())))
""", ["no_network_layer", "unknown_vlan"], None),
    ("ipv4_bad_header", """
good = bytes(IP(src=H, dst=G)/ICMP()/Raw(b"y" * 40))
def with_(off, val, fix=False):
    b = bytearray(good); b[off] = val
    if fix: b[10:12] = b"\\0\\0"; b[10:12] = struct.pack(">H", checksum(bytes(b[:20])))
    return Ether(src=HM, dst=GM, type=0x800)/Raw(bytes(b))
send([with_(0, v, True) for v in (0x00, 0x35, 0x55, 0x65, 0xf5)])
send([with_(0, v, True) for v in (0x40, 0x41, 0x44)])
send([with_(10, good[10] ^ 1)])
send([with_(2, 0xff, True)])
b = bytearray(good); b[2:4] = b"\\0\\x13"; b[10:12] = b"\\0\\0"; b[10:12] = struct.pack(">H", checksum(bytes(b[:20])))
send(Ether(src=HM, dst=GM, type=0x800)/Raw(bytes(b)))
send([Ether(src=HM, dst=GM, type=0x800)/Raw(good[:n]) for n in range(0, 20)])
""", ["bad_version", "bad_header", "bad_checksum", "truncated"], None),
    ("ipv4_martian_addresses", """
send([E/IP(src=s, dst=G)/ICMP() for s in ("0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "240.1.2.3", "10.0.2.255", "0.1.2.3")])
send([E/IP(src=H, dst=d)/ICMP() for d in ("127.0.0.1", "0.0.0.0", "240.0.0.1")])
""", ["martian_source", "martian_destination"], None),
    ("land", """
send([E/IP(src=G, dst=G, proto=p)/Raw(b"z" * 20) for p in (1, 6, 17)])
""", ["martian_source"], None),
    ("not_for_us_is_not_forwarded", """
send(E/IP(src=H, dst="192.0.2.1")/ICMP())
""", ["forwarding_off"], None),
    ("unicast_in_link_broadcast", """
send(B/IP(src=H, dst=G)/ICMP())
""", ["martian_destination"], None),
    ("broadcast_echo_is_ignored", """
show(answers([B/IP(src=H, dst=d)/ICMP() for d in ("10.0.2.255", "255.255.255.255", "224.0.0.1")], 1))
""", ["ignored_by_rfc"], r"^\s*$"),
    ("options_past_the_end", """
def opt(o):
    o += bytes(-len(o) % 4)
    h = struct.pack(">BBHHHBBH4s4s", 0x45 + len(o) // 4, 0, 28 + len(o), 1, 0, 64, 1, 0, inet_aton(H), inet_aton(G)) + o
    h = h[:10] + struct.pack(">H", checksum(h)) + h[12:]
    return Ether(src=HM, dst=GM, type=0x800)/Raw(h + bytes(ICMP()))
show(answers(opt(b"\\x07\\x27\\x04"), 1))
send([opt(o) for o in (b"\\x07\\x00\\x04\\x00", b"\\x07\\x01\\x04\\x00", b"\\x07\\x28\\x04\\x00", b"\\x44\\x03\\x05\\x00", b"\\x88\\xff\\x00\\x00", b"\\x07\\x03\\x03\\x00")])
""", ["bad_option"], r"icmp 12 0"),
    ("source_route_refused", """
show(answers(E/IP(src=H, dst=G, options=[IPOption(b"\\x83\\x07\\x04\\x0a\\x00\\x02\\x03")])/ICMP(), 1))
""", ["source_route"], r"icmp 3 5|^\s*$"),
    ("unknown_protocol", """
show(answers(E/IP(src=H, dst=G, proto=253)/Raw(b"q" * 20), 1))
""", ["no_transport"], r"icmp 3 2"),
    ("no_error_about_errors_fragments_broadcasts", """
send([E/IP(src=H, dst=G)/ICMP(type=3, code=3)/Raw(bytes(IP(src=G, dst=H, proto=253)/Raw(b"w" * 8)))])
show(answers([E/IP(src=H, dst=G, proto=253, frag=5)/Raw(b"q" * 8), B/IP(src=H, dst="10.0.2.255", proto=253)/Raw(b"q" * 20)], 1))
""", [], r"^\s*$"),
    ("icmp_all_types", """
send([E/IP(src=H, dst=G)/ICMP(type=t, code=c)/Raw(b"t" * 20) for t in list(range(0, 8)) + list(range(9, 45)) + [255] for c in (0, 1, 255)])
""", ["unknown_type", "bad_quoted_packet"], None),
    ("icmp_truncated_and_bad_checksum", """
send([E/IP(src=H, dst=G, proto=1)/Raw(b"\\x08\\0\\0\\0\\0\\0\\0"[:n]) for n in range(0, 8)])
send(E/IP(src=H, dst=G)/ICMP(type=8, chksum=1)/Raw(b"u" * 20))
""", ["bad_checksum"], None),
    ("redirects_are_ignored", """
send(E/IP(src=H, dst=G)/ICMP(type=5, code=1, gw="10.0.2.66")/Raw(bytes(IP(src=G, dst="192.0.2.9")/ICMP())))
""", [], None),
    ("reassembly_in_every_order", """
import itertools
data = echo(56)
for n, order in enumerate(itertools.permutations(pieces(data, 16))):
    send([frag(d, o, m, id=1000 + n) for d, o, m in order])
show(answers([frag(d, o, m, id=999) for d, o, m in reversed(pieces(data, 16))], 1))
""", [], r"icmp 0 0"),
    ("overlapping_fragments_die", """
d = echo(56)
send([frag(d[:32], 0, True, id=5), frag(d[24:48], 24, True, id=5), frag(d[48:], 48, False, id=5)])
send([frag(d[:32], 0, True, id=6), frag(b"x" * 40, 0, True, id=6)])
show(answers([frag(d[:32], 0, True, id=7), frag(d[16:], 16, False, id=7)], 1))
""", ["fragment_overlap"], r"^\s*$"),
    ("duplicate_fragments_are_harmless", """
d = echo(56)
show(answers([frag(d[:32], 0, True, id=8), frag(d[:32], 0, True, id=8), frag(d[32:], 32, False, id=8)], 1))
""", ["fragment_duplicate"], r"icmp 0 0"),
    ("teardrop", """
send([x for i in range(50) for x in (frag(b"a" * 40, 0, True, id=2000 + i, proto=17), frag(b"b" * 8, 24, False, id=2000 + i, proto=17))])
""", ["fragment_overlap"], None),
    ("ping_of_death", """
send([frag(b"d" * 1400, 65528, False, id=3000 + i) for i in range(50)])
""", ["fragment_beyond_64k"], None),
    ("tiny_tcp_fragments", """
send([frag(b"e" * 8, 0, True, id=4000, proto=6), frag(b"f" * 16, 8, False, id=4000, proto=6)])
""", ["fragment_malformed"], None),
    ("fragment_flood_is_bounded", """
send([frag(b"g" * 1200, 0, True, id=i) for i in range(3000)])
""", ["reassembly_limit"], None),
    ("pmtu_lies", """
q = bytes(IP(src=G, dst=H, proto=6)/Raw(b"k" * 8))
send([E/IP(src=H, dst=G)/ICMP(type=3, code=4, nexthopmtu=m)/Raw(q) for m in (0, 1, 20, 67, 68, 0xffff)], 20)
""", [], None),
    ("echo_flood", """
send([E/IP(src=H, dst=G)/ICMP(id=1, seq=i)/Raw(b"h" * 56) for i in range(500)], 10)
""", [], None),
    ("mutated_datagrams", """
random.seed(7)
base = bytes(IP(src=H, dst=G)/ICMP()/Raw(b"m" * 64))
out = []
for i in range(2000):
    b = bytearray(base)
    for _ in range(random.randint(1, 6)): b[random.randrange(len(b))] = random.randrange(256)
    if i % 2: b[10:12] = b"\\0\\0"; b[10:12] = struct.pack(">H", checksum(bytes(b[:20])))
    out.append(Ether(src=HM, dst=GM, type=0x800)/Raw(bytes(b[:random.randint(1, len(b))] if i % 3 == 0 else b)))
send(out)
""", ["bad_checksum"], None),
]


@pytest.mark.parametrize("program,names,said", [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_torture(target, program, names, said):
    guest, net = target
    hostile.check(guest, net, HEAD + program, names, said, alive)


def test_large_echoes(target):
    guest, net = target
    for size in (2000, 30000, 65000, 65507):
        out, status = net.run(f"ping -c 3 -i 0.2 -W 2 -s {size} {GUEST}")
        assert status == 0 and "3 received" in out, out
    assert alive(net)
