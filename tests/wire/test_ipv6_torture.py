# SPDX-License-Identifier: MIT
"""Hostile and odd IPv6 from a station on the link. After each family of cases the machine still answers ping over
both versions, has counted the drops under the names expected here, keeps its tables within their bounds, and has
said on the wire what the RFCs want said. One machine takes them all."""
import hostile
import net6
import pytest

GUEST4 = "10.0.2.15"


@pytest.fixture(scope="module")
def target(machines):
    net = machines.net()
    guest = machines.get(netns=net, mem=64)
    guest_ll = net6.setup(guest, net)
    return guest, net, net6.head(guest_ll, net6.host_link_local(net))


def alive(net):
    # what a forged message did to a neighbour or a path heals with the next look at it; a flood leaves full queues
    return net6.wait_for(lambda: net.run(f"ping -c 1 -W 2 {GUEST4}")[1] == 0, 20) and net6.pings(net, net6.GUEST, 1)


# name, program, drop names that must grow (all of them), pattern that the program's output must match
CASES = [
    ("bad_header", """
good = bytes(IPv6(src=H, dst=G, nh=58)/Raw(echo()))
def with_(off, val): b = bytearray(good); b[off] = val; return Ether(src=HM, dst=GM, type=0x86dd)/Raw(bytes(b))
send([with_(0, v) for v in (0x00, 0x40, 0x50, 0x70, 0xf0)])
send([with_(4, 1), with_(5, 0xff)])
send([Ether(src=HM, dst=GM, type=0x86dd)/Raw(good[:n]) for n in range(0, 40)])
""", ["bad_version", "truncated"], None),
    ("martian_addresses", """
send([E/IPv6(src=s, dst=G, nh=58)/Raw(echo(src=s)) for s in ("::1", "ff02::1", "ff05::2", "::", "::ffff:10.0.2.2")])
send([E/IPv6(src=H, dst=d, nh=58)/Raw(echo(dst=d)) for d in ("::1", "::", "::ffff:10.0.2.15")])
send([M("ff00::1")/IPv6(src=H, dst="ff00::1", nh=58)/Raw(echo(dst="ff00::1")), M("ff01::1")/IPv6(src=H, dst="ff01::1", nh=58)/Raw(echo(dst="ff01::1"))])
""", ["martian_source"], None),
    ("own_address_as_source", """
ask([raw6(p, b"z" * 20, src=G) for p in (58, 6, 17)])
""", [], r"^\s*$"),
    ("not_for_us_is_not_forwarded", """
ask(raw6(58, echo(dst="2001:db8:9::1"), dst="2001:db8:9::1"))
""", ["forwarding_off"], r"^\s*$"),
    ("no_next_header_is_silent", """
ask(raw6(59, b"x" * 16))
""", ["ignored_by_rfc"], r"^\s*$"),
    ("padding_and_known_options", """
ask([raw6(0, opts(b"\\1\\4\\0\\0\\0\\0") + echo(8)), raw6(60, opts(b"\\0\\0\\0\\0\\0\\0") + echo(8)), raw6(0, opts(b"\\5\\2\\0\\0") + echo(8))], 3)
""", [], r"(icmp 129 0.*\n){3}"),
    ("unknown_option_skip", """
ask(raw6(60, opts(b"\\x3e\\2ab") + echo(8)), 1)
""", [], r"icmp 129 0"),
    ("unknown_option_discard", """
ask(raw6(60, opts(b"\\x7e\\2ab") + echo(8)))
""", ["bad_option"], r"^\s*$"),
    ("unknown_option_error", """
ask(raw6(60, opts(b"\\xbe\\2ab") + echo(8)), 1)
""", ["bad_option"], r"icmp 4 2 42"),
    ("unknown_option_error_to_group_too", """
ask(M("ff02::1")/IPv6(src=H, dst="ff02::1", nh=60)/Raw(opts(b"\\xbe\\2ab") + echo(8)), 1)
""", ["bad_option"], r"icmp 4 2 42"),
    ("unknown_option_error_not_to_group", """
ask(M("ff02::1")/IPv6(src=H, dst="ff02::1", nh=60)/Raw(opts(b"\\xfe\\2ab") + echo(8)))
ask(raw6(60, opts(b"\\xfe\\2ab") + echo(8)), 1)
""", ["bad_option"], r"^icmp 4 2 42[^\n]*\n$"),
    ("option_past_its_header", """
send([raw6(60, bytes([58, 0, 1, n, 0, 0, 0, 0]) + echo(8)) for n in (5, 6, 255)])
""", ["bad_option"], None),
    ("header_past_the_packet", """
send([raw6(nh, bytes([58, n, 1, 4, 0, 0, 0, 0])) for nh in (0, 60, 43) for n in (0, 1, 2, 255)])
send([raw6(nh, bytes([58, 0, 1, 4, 0, 0, 0, 0])[:n]) for nh in (0, 60, 43, 44) for n in range(8)])
""", ["truncated"], None),
    ("hop_by_hop_only_comes_first", """
ask(raw6(60, opts(b"", 0) + opts(b"", 58) + echo(8)), 1)
""", [], r"icmp 4 1 40"),
    ("chains_of_every_length", """
for n in range(1, 90, 11):
    chain = b"".join(opts(b"", 60) for _ in range(n - 1)) + opts(b"", 58)
    send(raw6(60, chain + echo(8)))
send(raw6(60, b"".join(opts(b"", 60) for _ in range(181))))
send(raw6(60, b"".join(opts(b"", 60) for _ in range(180)) + bytes([60, 255, 1, 4, 0, 0, 0, 0])))
""", ["truncated"], None),
    ("routing_header_0_is_refused", """
ask(raw6(43, bytes([58, 2, 0, 1, 0, 0, 0, 0]) + a6("2001:db8:9::1") + echo(8)), 1)
""", ["source_route"], r"icmp 4 0 42"),
    ("routing_header_without_segments_is_passed_over", """
ask(raw6(43, bytes([58, 2, 4, 0, 0, 0, 0, 0]) + a6("2001:db8:9::1") + echo(8)), 1)
""", [], r"icmp 129 0"),
    ("jumbograms_are_refused", """
send(raw6(0, bytes([58, 0, 0xc2, 4, 0, 1, 0, 0]) + b"j" * 100, plen=0))
send(raw6(0, bytes([58, 0, 0xc2, 4, 0, 0, 0, 100]) + echo(8)))
""", [], None),
    ("unknown_transport", """
ask(raw6(253, b"q" * 20), 1)
""", ["no_transport"], r"icmp 4 1 6"),
    ("no_error_about_errors_or_to_groups", """
q = bytes(IPv6(src=G, dst=H, nh=17)/Raw(b"w" * 8))
ask([nd(H, G, q, 1, 4, 64), M("ff02::1")/IPv6(src=H, dst="ff02::1", nh=253)/Raw(b"q" * 20)])
""", [], r"^\s*$"),
    ("icmp_all_types", """
q = bytes(IPv6(src=G, dst=H, nh=6)/Raw(b"w" * 20))
send([nd(H, G, q, t, c, 64) for t in list(range(0, 128)) + list(range(138, 256)) for c in (0, 255)])
""", ["unknown_type"], None),
    ("icmp_truncated_and_bad_checksum", """
send([raw6(58, echo()[:n]) for n in range(8)])
send([nd(H, G, b"u" * 20, 128, bad=True), raw6(17, b"\\0\\7\\0\\7\\0\\x0c\\0\\0abcd")])
""", ["bad_checksum"], None),
    ("reassembly_in_every_order", """
import itertools
data = echo(56)
for n, order in enumerate(itertools.permutations(pieces(data, 16))):
    send([frag(d, o, m, id=1000 + n) for d, o, m in order])
ask([frag(d, o, m, id=999) for d, o, m in reversed(pieces(data, 16))], 1)
""", [], r"icmp 129 0"),
    ("atomic_fragment_is_a_datagram", """
send(frag(echo(64)[:32], 0, 1, id=55))
ask(frag(echo(8), 0, 0, id=55), 1)
""", [], r"icmp 129 0"),
    ("overlapping_fragments_die", """
d = echo(56)
ask([frag(d[:32], 0, 1, id=5), frag(d[24:48], 24, 1, id=5), frag(d[48:], 48, 0, id=5)])
ask([frag(d[:32], 0, 1, id=7), frag(d[16:], 16, 0, id=7)])
""", ["fragment_overlap"], r"^\s*$"),
    ("duplicate_fragments_are_harmless", """
d = echo(56)
ask([frag(d[:32], 0, 1, id=8), frag(d[:32], 0, 1, id=8), frag(d[32:], 32, 0, id=8)], 1)
""", ["fragment_duplicate"], r"icmp 129 0"),
    ("fragment_of_odd_length", """
ask(frag(b"o" * 13, 0, 1, id=9, nh=17), 1)
""", ["fragment_malformed"], r"icmp 4 0 4"),
    ("fragment_beyond_64k", """
ask(frag(b"d" * 1400, 65528, 0, id=10), 1)
send([frag(b"d" * 1400, 65528, 0, id=3000 + i) for i in range(50)])
""", ["fragment_beyond_64k"], r"icmp 4 0 42"),
    ("chain_in_two_fragments", """
chain = opts(b"", 17) + b"u" * 16
ask(frag(chain[:8], 0, 1, id=11, nh=60), 1)
""", ["fragment_malformed"], r"icmp 4 3"),
    ("fragment_in_a_fragment", """
ask(frag(struct.pack("!BBHI", 58, 0, 0, 99) + echo(8), 0, 0, id=12, nh=44))
""", [], None),
    ("fragment_flood_is_bounded", """
send([frag(b"g" * 1200, 0, 1, id=i) for i in range(3000)])
""", ["reassembly_limit"], None),
    ("too_big_lies", """
q = bytes(IPv6(src=G, dst=H, nh=6)/Raw(b"k" * 20))
send([nd(H, G, q, 2, 0, 64, word=m) for m in (0, 1, 67, 1279, 1280, 0xffffffff)], 20)
""", [], None),
    ("ra_malformed", """
send([ra(src=HLL, hlim=254), ra(src=H), ra(src="::"), ra(code=1), ra(b"\\x01\\0" + b"\\0" * 6), ra(b"\\x03\\4" + b"\\0" * 6)])
send(nd(HLL, "ff02::1", b"\\0" * 4, 134))
""", ["neighbour_malformed", "neighbour_hop_limit_not_255"], None),
    ("ns_na_malformed", """
t = a6(G)
send([nd(HLL, G, t + ll(1), 135, hlim=254), nd(HLL, G, t + ll(1), 135, code=1), nd(HLL, G, a6("ff02::1") + ll(1), 135), nd(HLL, G, t[:12], 135)])
send([nd("::", G, t, 135), nd("::", solicited(G), t + ll(1), 135), nd(HLL, G, t + b"\\1\\0\\0\\0\\0\\0\\0\\0", 135)])
send([nd(HLL, "ff02::1", a6(HLL) + ll(2), 136, word=0x60000000), nd(HLL, GLL, a6("ff02::1"), 136), nd(HLL, GLL, a6(HLL) + ll(2), 136, hlim=1)])
""", ["neighbour_malformed", "neighbour_hop_limit_not_255"], None),
    ("nd_in_fragments", """
b = bytes(nd(HLL, G, a6(G) + ll(1), 135)[IPv6].payload)
send(frag(b, 0, 0, id=13, src=HLL, hlim=255))
""", ["neighbour_in_fragments"], None),
    ("solicitation_is_answered", """
got = answers(nd(HLL, solicited(G), a6(G) + ll(1), 135), 3, lambda p: icmp(p)[0] == 136, 1)
p = got[0]
print(p[IPv6].hlim, p.dst, hex(icmp(p)[2]), bytes(p[IPv6].payload)[8:24] == a6(G), bytes(p[IPv6].payload)[24:32] == ll(2, GM))
""", [], r"255 52:54:00:aa:00:02 0x60000000 True True"),
    ("address_that_is_being_taken_is_defended", """
got = answers(nd("::", solicited(G), a6(G), 135), 3, lambda p: icmp(p)[0] == 136, 1)
print(got[0][IPv6].dst, got[0].dst, hex(icmp(got[0])[2]))
""", [], r"ff02::1 33:33:00:00:00:01 0x20000000"),
    ("claim_of_our_address_is_noticed", """
send(nd(HLL, "ff02::1", a6(G) + ll(2), 136, word=0x20000000))
""", ["neighbour_claims_our_address"], None),
    ("redirects_forged", """
q = bytes(IPv6(src=G, dst="2001:db8:9::1", nh=58)/Raw(echo(8)))
red = a6("fe80::66") + a6("2001:db8:9::1") + ll(2, "02:00:00:00:00:66")
send([nd(HLL, G, red, 137, hlim=64), nd(H, G, red, 137), nd("fe80::99", G, red, 137), nd(HLL, G, a6("2001:db8::5") + a6("2001:db8:9::1"), 137)])
send(nd(HLL, G, a6("fe80::66") + a6("ff02::5"), 137))
""", ["neighbour_hop_limit_not_255"], None),
    ("mld_malformed", """
def mld(type, body, src=None, hlim=1, alert=True, dst="ff02::1"):
    p = nd(src or HLL, dst, body, type, hlim=hlim, word=1000 << 16)
    m = bytes(p[IPv6].payload)
    return M(dst)/IPv6(src=src or HLL, dst=dst, hlim=hlim, nh=0)/Raw(opts(b"\\5\\2\\0\\0") + m) if alert else p
send([mld(130, b"\\0" * n) for n in (0, 15, 17, 19)])
send([mld(130, b"\\0" * 16, hlim=2), mld(130, b"\\0" * 16, src=H), mld(130, b"\\0" * 16, alert=False)])
send(mld(130, b"\\0" * 16 + struct.pack("!BBH", 2, 125, 60000)))
""", ["bad_length"], None),
    ("echo_flood", """
send([E/IPv6(src=H, dst=G)/Raw(b"")] + [raw6(58, echo(seq=i)) for i in range(500)], 10)
""", [], None),
    ("mutated_datagrams", """
random.seed(7)
base = [bytes(p[IPv6]) for p in (raw6(58, echo(64)), raw6(0, opts(b"\\5\\2\\0\\0") + echo(64)), frag(echo(64), 0, 0), raw6(43, bytes([58, 2, 4, 0, 0, 0, 0, 0]) + a6(G) + echo(64)),
        nd(HLL, G, a6(G) + ll(1), 135), ra(ll(1)))]
out = []
for i in range(3000):
    b = bytearray(base[i % len(base)])
    for _ in range(random.randint(1, 6)): b[random.randrange(len(b))] = random.randrange(256)
    out.append(Ether(src=HM, dst=GM, type=0x86dd)/Raw(bytes(b[:random.randint(1, len(b))] if i % 3 == 0 else b)))
send(out)
""", ["bad_checksum"], None),
    ("scapy_fuzz", """
random.seed(11)
layers = [lambda: fuzz(ICMPv6EchoRequest()), lambda: fuzz(ICMPv6ND_NS(tgt=G)), lambda: fuzz(ICMPv6ND_RA()), lambda: fuzz(ICMPv6DestUnreach()),
          lambda: fuzz(ICMPv6MLQuery()), lambda: fuzz(IPv6ExtHdrDestOpt())/Raw(b"x" * 30), lambda: fuzz(IPv6ExtHdrFragment())/Raw(b"y" * 40), lambda: fuzz(UDP())/Raw(b"u"), lambda: fuzz(TCP())]
out = []
for i in range(900):
    try: out.append(bytes(E/IPv6(src=random.choice([H, HLL]), dst=G, hlim=random.choice([1, 64, 255]))/layers[i % len(layers)]()))
    except Exception: pass
print(len(out) > 300)
send([Ether(b) for b in out])
""", [], "True"),
]


@pytest.mark.parametrize("program,names,said", [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_torture(target, program, names, said):
    guest, net, head = target
    hostile.check(guest, net, head + program, names, said, alive, 90)


def test_large_echoes(target):
    _, net, _ = target
    for size in (2000, 30000, 65000):
        assert net6.pings(net, net6.GUEST, more=f"-s {size}"), size
