# SPDX-License-Identifier: MIT
"""Multicast over the wire: joins and leaves as a router hears them, queries of all versions answered, data in
and out (RFC 2236, RFC 9776)."""
import re

import programs
import pytest

HOST, GUEST, GROUP = "10.0.2.2", "10.0.2.15", "239.7.8.9"
# What all querier programs share: `report(seconds)` is the next IGMP message of the guest, as text.
QUERIER = f"""
from scapy.contrib.igmp import IGMP
from scapy.contrib.igmpv3 import IGMPv3, IGMPv3mq
import threading, queue
heard, begun = queue.Queue(), threading.Event()
sniffer = AsyncSniffer(iface=tap, filter="igmp and src host {GUEST}", prn=heard.put, store=False, started_callback=begun.set)
sniffer.start()
begun.wait()
out = conf.L2socket(iface=tap)
def report(seconds=4):
    try:
        p = heard.get(timeout=seconds)
    except queue.Empty:
        return "silence"
    ip, body = p[IP], bytes(p[IP].payload)
    assert ip.ttl == 1 and ip.ihl == 6 and bytes(ip)[20:24] == b"\\x94\\x04\\0\\0", p.show(dump=True)
    assert p.dst == "01:00:5e:%02x:%02x:%02x" % (bytes(ip)[17] & 0x7f, bytes(ip)[18], bytes(ip)[19])
    if body[0] != 0x22:
        return f"{{body[0]:02x}} {{socket.inet_ntoa(body[4:8])}} to {{ip.dst}}"
    records, at = [], 8
    for n in range(struct.unpack("!H", body[6:8])[0]):
        kind, aux, nr = struct.unpack("!BBH", body[at:at + 4])
        sources = [socket.inet_ntoa(body[at + 8 + 4 * k:at + 12 + 4 * k]) for k in range(nr)]
        records.append(" ".join([str(kind), socket.inet_ntoa(body[at + 4:at + 8]), *sources]))
        at += 8 + 4 * nr
    return f"22 to {{ip.dst}}: " + ", ".join(records)
def query(group="0.0.0.0", ttl=1, **body):
    dst = "224.0.0.1" if group == "0.0.0.0" else group
    ip = IP(src="{HOST}", dst=dst, ttl=ttl, tos=0xc0, proto=2, options=IPOption(b"\\x94\\x04\\0\\0"))
    mac = "01:00:5e:%02x:%02x:%02x" % tuple(a & (0x7f if n == 0 else 255) for n, a in enumerate(socket.inet_aton(dst)[1:]))
    if "version" in body:
        m = bytes(IGMP(type=0x11, mrcode=0 if body["version"] == 1 else 10, gaddr=group))
    else:
        nr = body.get("sources", [])
        m = struct.pack("!BBH4sBBH", 0x11, 10, 0, socket.inet_aton(group), 2, 125, len(nr))
        m += b"".join(socket.inet_aton(a) for a in nr)
    m = m[:2] + b"\\0\\0" + m[4:]
    m = m[:2] + struct.pack("!H", checksum(m)) + m[4:]
    out.send(bytes(Ether(dst=mac) / ip / m))
"""


@pytest.fixture
def guest(machine, wire):
    return machine(netns=wire, extra=programs.build())


def member(guest, source=""):
    """A member whose join has been told twice."""
    guest.sh(f"/test/mcast {GROUP} 5000 {source} > /tmp/heard & until grep -q 090807EF /proc/net/igmp; do sleep 0.1; done; sleep 1.1")


def test_options_are_linuxs(guest):
    out, status = guest.run("/test/mcast", 60)
    assert status == 0, out


def test_join_and_leave_are_told_twice(guest, wire):
    # what the test before has left is said again within a second
    said = wire.scapy(QUERIER + "time.sleep(1)\nheard.queue.clear()\nready()\nprint(report(20))\nfor _ in range(2): print(report(2))\n", 60,
                      ready=lambda: guest.sh(f"/test/mcast {GROUP} 5000 > /tmp/heard &"))
    assert said.splitlines() == [f"22 to 224.0.0.22: 4 {GROUP}"] * 2 + ["silence"], said
    assert re.search(r"eth0 +: +2 +V3\n\t+010000E0 +1 0:00000000\t\t0\n\t+090807EF +1 0:00000000", guest.sh("cat /proc/net/igmp"))
    said = wire.scapy(QUERIER + "ready()\nprint(report(20))\nfor _ in range(2): print(report(2))\n", 60,
                      ready=lambda: guest.sh("killall mcast"))
    assert said.splitlines() == [f"22 to 224.0.0.22: 3 {GROUP}"] * 2 + ["silence"], said
    assert "090807EF" not in guest.sh("cat /proc/net/igmp")


def test_queries_are_answered(guest, wire):
    member(guest)
    said = wire.scapy(QUERIER + f"""
query()
print(report())
query("{GROUP}")
print(report())
query("239.9.9.9")
query(ttl=3)
print(report(2))
query("{GROUP}", sources=["10.0.2.2", "10.0.2.3"])
print(report())
""", 60)
    assert said.splitlines() == [f"22 to 224.0.0.22: 2 {GROUP}", f"22 to 224.0.0.22: 2 {GROUP}", "silence",
                                 f"22 to 224.0.0.22: 1 {GROUP} 10.0.2.2 10.0.2.3"], said
    guest.sh("killall mcast")


def test_source_filters_are_told_and_kept(guest, wire):
    member(guest, HOST)
    said = wire.scapy(QUERIER + f"""
query("{GROUP}")
print(report())
for src in "10.0.2.77", "{HOST}":
    sendp(Ether(dst="01:00:5e:07:08:09") / IP(src=src, dst="{GROUP}", ttl=1) / UDP(sport=9, dport=5000) / f"from {{src}}",
          iface=tap)
""", 60)
    assert said == f"22 to 224.0.0.22: 1 {GROUP} {HOST}\n"
    assert guest.until("grep . /tmp/heard") == f"{HOST}:from {HOST}\n"
    guest.sh("killall mcast")


def test_what_a_member_sends(guest, wire):
    said = wire.scapy(f"""
s = AsyncSniffer(iface=tap, filter="udp and src host {GUEST}", count=1, started_callback=ready)
s.start(); s.join(timeout=20)
p = s.results[0]
print(p.dst, p[IP].dst, p[IP].ttl, bytes(p[UDP].payload)[:5])
""", 60, ready=lambda: guest.sh("/test/mcast filtered > /dev/null &"))
    assert said == "01:00:5e:07:08:0a 239.7.8.10 1 b'hello'\n"


def test_hostile_messages(guest, wire):
    """Random IGMP of every type and length: the host stays a member and a host."""
    member(guest)
    wire.scapy(QUERIER + f"""
import random
random.seed(3)
for n in range(2000):
    m = bytes([random.choice([0x11, 0x11, 0x12, 0x16, 0x17, 0x22, 0x13])]) + random.randbytes(random.choice([0, 7, 11, 15, 40, 400]))
    if len(m) > 7 and n % 2:
        m = m[:4] + socket.inet_aton("{GROUP}") + m[8:]
    if len(m) > 3:
        m = m[:2] + b"\\0\\0" + m[4:]
        m = m[:2] + struct.pack("!H", checksum(m)) + m[4:]
    dst = random.choice(["224.0.0.1", "{GROUP}", "{GUEST}"])
    mac = {{"224.0.0.1": "01:00:5e:00:00:01", "{GROUP}": "01:00:5e:07:08:09"}}.get(dst, "{wire.guest_mac}")
    out.send(bytes(Ether(dst=mac) / IP(src=random.choice(["{HOST}", "0.0.0.0", "192.0.2.1"]), dst=dst, ttl=1, proto=2) / m))
    if n % 50 == 49: time.sleep(0.02)
""", 90)
    assert "090807EF" in guest.sh("cat /proc/net/igmp")
    out, status = wire.run(f"ping -c 2 -W 3 {GUEST}")
    assert status == 0, out
    guest.sh("killall mcast")


def test_older_queriers(guest, wire):
    member(guest)
    said = wire.scapy(QUERIER + f"""
query(version=2)
print(report())
query("{GROUP}", version=2)
print(report())
query(version=1)
print(report(11))
""", 60)
    assert said.splitlines() == [f"16 {GROUP} to {GROUP}"] * 2 + [f"12 {GROUP} to {GROUP}"], said
    assert re.search(r"eth0 +: +2 +V1", guest.sh("cat /proc/net/igmp"))
    guest.sh("killall mcast")
