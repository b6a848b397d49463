# SPDX-License-Identifier: MIT
"""Weft seen from the other end of the wire: a TAP in a namespace of its own."""


def test_answers_ping(start, net):
    start(netns=net).login()
    out, status = net.run("ping -c 3 -i 0.3 -W 2 10.0.2.15")
    assert status == 0 and "3 received, 0% packet loss" in out, out


def test_answers_large_and_odd_pings(start, net):
    start(netns=net).login()
    for size in (0, 1, 17, 56, 1000, 1471, 1472):
        out, status = net.run(f"ping -c 1 -W 2 -M do -s {size} 10.0.2.15")
        assert status == 0, f"{size} bytes:\n{out}"


def test_answers_arp(start, net):
    start(netns=net).login()
    said = net.scapy("""
for op in range(3):
    r = srp1(Ether(dst="ff:ff:ff:ff:ff:ff") / ARP(pdst="10.0.2.15", psrc="10.0.2.2"), timeout=2, iface=tap)
    print(r[ARP].op, r[ARP].hwsrc, r[ARP].psrc, r.dst)
""")
    assert said.splitlines() == [f"2 {net.guest_mac} 10.0.2.15 {net.host_mac}"] * 3


def test_does_not_answer_for_others(start, net):
    start(netns=net).login()
    said = net.scapy("""
r = srp1(Ether(dst="ff:ff:ff:ff:ff:ff") / ARP(pdst="10.0.2.77"), timeout=1, iface=tap)
print("answer" if r else "silence")
r = srp1(Ether(dst="52:54:00:12:34:56") / IP(dst="10.0.2.77") / ICMP(), timeout=1, iface=tap)
print("answer" if r else "silence")
r = srp1(Ether(dst="52:54:00:12:34:56") / IP(dst="10.0.2.15") / ICMP(chksum=0x1234), timeout=1, iface=tap)
print("answer" if r else "silence")
r = srp1(Ether(dst="52:54:00:12:34:56") / IP(dst="10.0.2.15", chksum=1) / ICMP(), timeout=1, iface=tap)
print("answer" if r else "silence")
""")
    assert said.split() == ["silence"] * 4


def test_echo_reply_mirrors_the_request(start, net):
    start(netns=net).login()
    said = net.scapy("""
p = Ether(dst="52:54:00:12:34:56") / IP(dst="10.0.2.15", id=77, tos=0) / ICMP(id=0xbeef, seq=513) / (b"weft" * 50)
r = srp1(p, timeout=2, iface=tap)
print(r[ICMP].type, hex(r[ICMP].id), r[ICMP].seq, bytes(r[ICMP].payload)[:200] == b"weft" * 50)
raw = bytes(r[IP])
del r[IP].chksum, r[ICMP].chksum
print(raw == bytes(IP(bytes(r[IP]))))
""")
    assert said.split("\n")[:2] == ["0 0xbeef 513 True", "True"]


def test_pings_out_over_the_tap(start, net):
    g = start(netns=net).login()
    out = g.sh("ping -c 3 10.0.2.2")
    assert "3 packets received" in out


def test_survives_a_flood(start, net):
    g = start(netns=net).login()
    net.run("ping -f -c 2000 -W 1 10.0.2.15", 60)
    out, status = net.run("ping -c 3 -W 2 10.0.2.15")
    assert status == 0, out
    g.sh("true", 10)
