# SPDX-License-Identifier: MIT
"""Multicast listeners over the wire: joins and leaves as a router hears them, queries of both versions answered,
data in (RFC 2710, RFC 9777)."""
import re

import net6
import programs
import pytest

GROUP, OTHER = "ff0e::7:8:9", "ff05::1:3"
HOST = "fe80::2"  # a router's
# What all querier programs share: `report(seconds)` is the next word of the guest on GROUP, as text.
QUERIER = f"""
import queue, threading
heard, begun = queue.Queue(), threading.Event()
def pack(a): return socket.inet_pton(socket.AF_INET6, a)
def text(b): return socket.inet_ntop(socket.AF_INET6, bytes(b))
def group_mac(a): return "33:33:" + ":".join("%02x" % b for b in pack(a)[12:])
def wanted(p): return p.haslayer(IPv6) and p[Ether].src == "52:54:00:12:34:56" and p[IPv6].nh == 0
sniffer = AsyncSniffer(iface=tap, lfilter=wanted, prn=heard.put, store=False, started_callback=begun.set)
sniffer.start()
begun.wait()
out = conf.L2socket(iface=tap)
def report(seconds=4):
    end = time.time() + seconds
    while True:
        try:
            p = heard.get(timeout=max(end - time.time(), 0.01))
        except queue.Empty:
            return "silence"
        ip, raw = p[IPv6], bytes(p[IPv6])
        body = raw[48:]
        assert ip.hlim == 1 and raw[40:48] == b"\\x3a\\0\\x05\\x02\\0\\0\\1\\0", p.show(dump=True)
        assert p.dst == group_mac(ip.dst), p.show(dump=True)
        if ip.src == "::": continue  # about the address that is being checked
        assert ip.src.startswith("fe80::"), p.show(dump=True)
        assert in6_chksum(58, IPv6(src=ip.src, dst=ip.dst), body) == 0
        if body[0] != 143:
            if text(body[8:24]) == "{GROUP}": return f"{{body[0]}} to {{ip.dst}}"
            continue
        at, records = 8, []
        for n in range(struct.unpack("!H", body[6:8])[0]):
            kind, aux, nr = struct.unpack("!BBH", body[at:at + 4])
            sources = [text(body[at + 20 + 16 * k:at + 36 + 16 * k]) for k in range(nr)]
            if text(body[at + 4:at + 20]) == "{GROUP}": records.append(" ".join([str(kind), *sources]))
            at += 20 + 16 * nr
        if records: return f"143 to {{ip.dst}}: " + ", ".join(records)
def query(group="::", hlim=1, version=2, sources=[], ms=1000, alert=True, src="{HOST}"):
    dst = "ff02::1" if group == "::" else group
    m = struct.pack("!BBHHH16s", 130, 0, 0, ms, 0, pack(group))
    if version == 2:
        m += struct.pack("!BBH", 2, 125, len(sources)) + b"".join(pack(a) for a in sources)
    ip = IPv6(src=src, dst=dst, hlim=hlim)
    m = m[:2] + struct.pack("!H", in6_chksum(58, ip, m)) + m[4:]
    if alert: ip = ip / IPv6ExtHdrHopByHop(options=RouterAlert(), nh=58)
    else: ip.nh = 58
    out.send(bytes(Ether(dst=group_mac(dst)) / ip / Raw(m)))
"""


@pytest.fixture
def guest(machine, wire):
    g = machine(netns=wire, extra=programs.build())
    net6.load(g)
    return g


def member(guest, source=""):
    """A member whose join has been told twice."""
    guest.sh(f"/test/mcast {GROUP} 5000 {source} > /tmp/heard & until grep -q 700080009 /proc/net/igmp6; do sleep 0.1; done; sleep 1.1")


def leave(guest):
    """That is told twice within a second too."""
    guest.sh("killall mcast; while grep -q 700080009 /proc/net/igmp6; do sleep 0.1; done; sleep 1.1")


def test_join_and_leave_are_told_twice(guest, wire):
    said = wire.scapy(QUERIER + "ready()\nprint(report(20))\nfor _ in range(2): print(report(2))\n", 60,
                      ready=lambda: guest.sh(f"/test/mcast {GROUP} 5000 > /tmp/heard &"))
    assert said.splitlines() == ["143 to ff02::16: 4"] * 2 + ["silence"], said
    assert re.search(r"2 +eth0 +ff0e0000000000000000000700080009 +1 00000004 0", guest.sh("cat /proc/net/igmp6"))
    said = wire.scapy(QUERIER + "ready()\nprint(report(20))\nfor _ in range(2): print(report(2))\n", 60,
                      ready=lambda: guest.sh("killall mcast"))
    assert said.splitlines() == ["143 to ff02::16: 3"] * 2 + ["silence"], said
    assert "00070008" not in guest.sh("cat /proc/net/igmp6")


def test_queries_are_answered(guest, wire):
    member(guest)
    said = wire.scapy(QUERIER + f"""
query()
print(report())
query("{GROUP}")
print(report())
query("{OTHER}")
query(hlim=2)
query(alert=False)
query(src="2001:db8::1")
print(report(2))
query("{GROUP}", sources=["2001:db8::1", "2001:db8::2"])
print(report())
""", 60)
    assert said.splitlines() == ["143 to ff02::16: 2", "143 to ff02::16: 2", "silence",
                                 "143 to ff02::16: 1 2001:db8::1 2001:db8::2"], said
    leave(guest)


def test_source_filters_are_told_and_kept(guest, wire):
    member(guest, HOST)
    said = wire.scapy(QUERIER + f"""
query("{GROUP}")
print(report())
for src in "fe80::77", "{HOST}":
    sendp(Ether(dst=group_mac("{GROUP}")) / IPv6(src=src, dst="{GROUP}", hlim=1) / UDP(sport=9, dport=5000) / f"from {{src}}",
          iface=tap)
""", 60)
    assert said == f"143 to ff02::16: 1 {HOST}\n"
    assert guest.until("grep . /tmp/heard") == f"{HOST}:from {HOST}\n"
    leave(guest)


def test_hostile_messages(guest, wire):
    """Random MLD of every type and length: the host stays a member and a host."""
    member(guest)
    wire.scapy(QUERIER + f"""
import random
random.seed(9777)
for n in range(2000):
    m = bytes([random.choice([130, 130, 131, 132, 143])]) + random.randbytes(random.choice([0, 3, 22, 23, 26, 27, 59, 400]))
    if len(m) > 23 and n % 2: m = m[:8] + pack("{GROUP}") + m[24:]
    if len(m) > 27 and n % 3: m = m[:26] + struct.pack("!H", (len(m) - 28) // 16) + m[28:]
    dst = random.choice(["ff02::1", "{GROUP}"])
    ip = IPv6(src=random.choice(["{HOST}", "::", "2001:db8::9"]), dst=dst, hlim=1)
    if len(m) > 3: m = m[:2] + b"\\0\\0" + m[4:]
    if len(m) > 3: m = m[:2] + struct.pack("!H", in6_chksum(58, ip, m)) + m[4:]
    out.send(bytes(Ether(dst=group_mac(dst)) / ip / IPv6ExtHdrHopByHop(options=RouterAlert(), nh=58) / Raw(m)))
    if n % 50 == 49: time.sleep(0.02)
""", 90)
    assert "ff0e0000000000000000000700080009" in guest.sh("cat /proc/net/igmp6")
    out, status = wire.run("ping -c 2 -W 3 10.0.2.15")
    assert status == 0, out
    leave(guest)


def test_an_older_querier(guest, wire):
    """What random queries have said of intervals lasts: version 2 is asked for first."""
    guest.sh("echo 2 > /proc/sys/net/ipv6/conf/all/force_mld_version; echo 0 > /proc/sys/net/ipv6/conf/all/force_mld_version")
    member(guest)
    said = wire.scapy(QUERIER + f"""
query(version=1)
print(report())
query("{GROUP}", version=1)
print(report())
""", 60)
    assert said.splitlines() == [f"131 to {GROUP}"] * 2, said
    said = wire.scapy(QUERIER + "ready()\nprint(report(20))", 60, ready=lambda: guest.sh("killall mcast"))
    assert said == "132 to ff02::2\n", said
