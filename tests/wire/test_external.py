# SPDX-License-Identifier: MIT
"""The protocol of docs/writing-a-protocol.md, built outside the tree: it answers over both versions of IP, is listed,
and leaves."""
import net6
from modules import outside

ASK = """
def ask(packet):
    got = srp1(packet, timeout=10)
    print(bytes(got.payload.payload)[:5] if got else None)
"""


def test_a_protocol_outside_the_tree(machine, wire):
    g = machine(netns=wire, extra=outside("echo253"))
    guest_ll = net6.setup(g, wire)
    g.sh("insmod /lib/outside/echo253.ko")
    assert "echo253" in g.sh("cat /proc/net/weft/protocols")
    said = wire.scapy(ASK + f"""
ask(Ether(dst="{wire.guest_mac}") / IP(src="10.0.2.2", dst="10.0.2.15", proto=253) / Raw(b"four!"))
ask(Ether(dst="{wire.guest_mac}") / IPv6(src="{net6.HOST}", dst="{net6.GUEST}", nh=253) / Raw(b"six!!"))
ask(Ether(dst="{wire.guest_mac}") / IPv6(src="{net6.host_link_local(wire)}", dst="{guest_ll}", nh=253) / Raw(b"local"))
""")
    assert said.split() == ["b'four!'", "b'six!!'", "b'local'"]
    assert "answered 3" in g.sh("cat /proc/net/weft/echo253")
    g.sh("rmmod echo253")
    assert g.run("cat /proc/net/weft/echo253")[1] != 0
