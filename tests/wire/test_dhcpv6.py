# SPDX-License-Identifier: MIT
"""Addresses and name servers by DHCPv6 (RFC 8415): Debian's dnsmasq on the wire says by its advertisements who shall ask,
and Debian's clients in the guest ask it."""
import contextlib
import re

import debian
import net6
import pytest

SERVER = "2001:db8:2::53"
POOL = re.compile(r"2001:db8:2::1[0-9a-f]{2}$")
SAID = rf"search weft\.test\.?\s+nameserver {SERVER}\s"


@pytest.fixture
def guest(machine, wire):
    g = machine(netns=wire, extra=debian.extra("dhcp"), mem=384)
    net6.host_address(wire)
    assert net6.host_link_local(wire)
    g.sh("cp /etc/resolv.conf /tmp/resolv 2>/dev/null; rm -f /etc/resolv.conf")
    net6.load(g)
    yield g
    g.run("killall dhclient dibbler-client")
    g.until("! pidof dhclient dibbler-client")
    g.run("rm -f /var/lib/dhcp/* /etc/resolv.conf; cp /tmp/resolv /etc/resolv.conf")
    # what the router said is forgotten with the module
    g.sh("rmmod ipv6")


@contextlib.contextmanager
def dnsmasq(net, tmp_path, pool):
    """Name server and domain are for who asks, by its MAC: not in the advertisements."""
    with net6.daemon(net, ["dnsmasq", "-k", "-C", "/dev/null", "-u", "root", "-p", "0", "-i", net.tap, "--enable-ra", "--log-facility=-",
                           f"--dhcp-range={pool}", f"--dhcp-mac=set:asks,{net.guest_mac}", f"--dhcp-option=tag:asks,option6:dns-server,[{SERVER}]",
                           "--dhcp-option=tag:asks,option6:domain-search,weft.test", f"--dhcp-leasefile={tmp_path}/leases",
                           f"--pid-file={tmp_path}/pid"], "advertisement"):
        yield


def leased(guest):
    return [a for a, (plen, _, flags) in net6.addresses(guest).items() if POOL.match(a) and plen == 128 and not flags & 0xc0]


def told(guest, managed, other):
    """The advertisement has come, with these flags."""
    return net6.wait_for(lambda: re.search(rf"^eth0 +up +\S+ +\S+ +{managed} +{other} ", guest.sh("cat /proc/net/weft/ipv6"), re.M), 40)


def test_address_and_name_server(guest, wire, tmp_path):
    with dnsmasq(wire, tmp_path, "2001:db8:2::100,2001:db8:2::1ff,64,600"):
        assert told(guest, "yes", "yes"), guest.sh("cat /proc/net/weft/ipv6")
        out = guest.sh("dhclient -6 -1 eth0 2>&1", 60)
        assert "Usage" not in out and "can't" not in out, out
        assert net6.wait_for(lambda: leased(guest), 20), out + guest.sh("ip -6 addr")
        address = leased(guest)[0]
        life = re.search(rf"inet6 {address}/128 scope global dynamic\s+valid_lft (\d+)sec preferred_lft (\d+)sec", guest.sh("ip -6 addr show dev eth0"))
        assert life and 500 < int(life[1]) <= 600 and 500 < int(life[2]) <= 600
        assert re.search(SAID, guest.sh("cat /etc/resolv.conf")), guest.sh("cat /etc/resolv.conf")
        assert address in (tmp_path / "leases").read_text()
        assert net6.pings(wire, address)
        # its way out is the router's; the source is what was leased
        assert re.search(rf"\bsrc {address}\b", guest.sh("ip -6 route get 2001:db8:ffff::1")), guest.sh("ip -6 route get 2001:db8:ffff::1")
        guest.sh("dhclient -6 -r eth0 2>&1", 60)
        assert net6.wait_for(lambda: not leased(guest), 20)
        assert address not in (tmp_path / "leases").read_text()


def test_name_server_alone(guest, wire, tmp_path):
    """Stateless: the address is the guest's own, of the advertised prefix; what else there is to know is asked for."""
    with dnsmasq(wire, tmp_path, "2001:db8:2::,ra-stateless"):
        assert told(guest, "no", "yes"), guest.sh("cat /proc/net/weft/ipv6")
        own = net6.wait_for(lambda: [a for a in net6.addresses(guest) if a.startswith(net6.PREFIX) and net6.ready(guest, a)], 20)
        assert own == [f"{net6.PREFIX}:0:5054:ff:fe12:3456"]
        guest.sh("dhclient -6 -S -1 eth0 2>&1", 60)
        assert net6.wait_for(lambda: re.search(SAID, guest.sh("cat /etc/resolv.conf; true")), 20), guest.run("cat /etc/resolv.conf")[0]
        assert not leased(guest)


def test_another_client(guest, wire, tmp_path):
    """dibbler: it binds to the link-local address, and speaks netlink itself."""
    with dnsmasq(wire, tmp_path, "2001:db8:2::100,2001:db8:2::1ff,64,600"):
        assert told(guest, "yes", "yes")
        guest.sh("mkdir -p /etc/dibbler; printf 'iface eth0 {\\n ia\\n option dns-server\\n}\\n' > /etc/dibbler/client.conf")
        guest.sh("dibbler-client start > /dev/null", 30)
        assert net6.wait_for(lambda: leased(guest), 40), guest.sh("tail -n 20 /var/log/dibbler/dibbler-client.log")
        address = leased(guest)[0]
        assert net6.pings(wire, address)
        assert net6.wait_for(lambda: f"nameserver {SERVER}" in guest.run("cat /etc/resolv.conf")[0], 20)
        guest.run("killall dibbler-client")
        assert net6.wait_for(lambda: not leased(guest), 20), guest.sh("tail -n 20 /var/log/dibbler/dibbler-client.log")
        assert net6.wait_for(lambda: address not in (tmp_path / "leases").read_text(), 20)
