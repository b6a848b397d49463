# SPDX-License-Identifier: MIT
"""Autoconfiguration by real routers: radvd and dnsmasq say what the link is like, the guest makes addresses, routes
and settings of it, and gives them up in time."""
import contextlib
import os
import re

import net6
import pytest

PREFIX = "2001:db8:a"


@pytest.fixture
def guest(machine, wire):
    g = machine(netns=wire)
    net6.load(g)
    wire.run("echo 1 > /proc/sys/net/ipv6/conf/all/forwarding")
    net6.host_address(wire, f"{PREFIX}::1")
    assert net6.host_link_local(wire)
    yield g
    # what this test's router said is forgotten: IPv6 off and on, with the settings of the start
    settings = "/proc/sys/net/ipv6/conf/eth0"
    g.sh(f"echo 1 > {settings}/disable_ipv6; echo 1 > {settings}/accept_ra; echo 0 > {settings}/use_tempaddr; "
         f"echo 0 > {settings}/accept_ra_rt_info_max_plen; echo 64 > {settings}/hop_limit; echo 0 > {settings}/disable_ipv6")


RADVD = """
interface {tap} {{
	AdvSendAdvert on;
	MinRtrAdvInterval 3;
	MaxRtrAdvInterval 4;
	AdvDefaultLifetime {lifetime};
	{more}
}};
"""
PREFIX_TEXT = "prefix {prefix}::/64 {{ AdvOnLink on; AdvAutonomous on; AdvValidLifetime {valid}; AdvPreferredLifetime {preferred}; }};"


@contextlib.contextmanager
def radvd(net, tmp_path, *more, lifetime=1800, prefix=PREFIX, valid=3600, preferred=1800):
    config, pid = tmp_path / "radvd.conf", tmp_path / "radvd.pid"
    parts = ([PREFIX_TEXT.format(prefix=prefix, valid=valid, preferred=preferred)] if prefix else []) + list(more)
    config.write_text(RADVD.format(tap=net.tap, lifetime=lifetime, more="\n\t".join(parts)))
    os.chmod(config, 0o644)
    with net6.daemon(net, ["radvd", "-n", "-d", "1", "-m", "stderr", "-C", str(config), "-p", str(pid)], "version"):
        yield


def of_prefix(guest, prefix=PREFIX):
    return {a: v for a, v in net6.addresses(guest).items() if a.startswith(prefix + ":") and not v[2] & 0x40}


def routes(guest):
    return guest.sh("ip -6 route show")


def test_address_and_default_route(guest, wire, tmp_path):
    with radvd(wire, tmp_path):
        assert net6.wait_for(lambda: of_prefix(guest), 30)
        address = next(iter(of_prefix(guest)))
        router = net6.host_link_local(wire)
        assert net6.wait_for(lambda: re.search(rf"default via {router} dev eth0", routes(guest)), 20), routes(guest)
        assert net6.pings(wire, address)
        out = guest.sh("ip -6 addr show dev eth0")
        assert re.search(rf"inet6 {address}/64 scope global dynamic", out), out


def test_far_host_by_the_default_route(guest, wire, tmp_path):
    wire.run("ip -6 addr add 2001:db8:ffff::1/128 dev lo")
    with radvd(wire, tmp_path):
        assert net6.wait_for(lambda: of_prefix(guest) and "default via" in routes(guest), 30)
        assert net6.wait_for(lambda: guest.run("ping6 -c 1 -W 3 2001:db8:ffff::1", 20)[1] == 0, 20)


def test_router_leaves(guest, wire, tmp_path):
    """radvd says a lifetime of 0 as it ends: the default route goes, the address stays."""
    with radvd(wire, tmp_path):
        assert net6.wait_for(lambda: of_prefix(guest) and "default via" in routes(guest), 30)
    assert net6.wait_for(lambda: "default via" not in routes(guest), 20), routes(guest)
    assert of_prefix(guest)


def test_prefix_is_deprecated(guest, wire, tmp_path):
    with radvd(wire, tmp_path, preferred=3, valid=7200):
        assert net6.wait_for(lambda: of_prefix(guest), 30)
    address = next(iter(of_prefix(guest)))
    assert net6.wait_for(lambda: of_prefix(guest)[address][2] & net6.FLAGS["deprecated"], 30)
    assert net6.pings(wire, address)


def test_two_hours_rule(guest, wire, tmp_path):
    """RFC 4862 5.5.3: nobody takes an address away at once by a short lifetime."""
    with radvd(wire, tmp_path, valid=86400, preferred=14400):
        assert net6.wait_for(lambda: of_prefix(guest), 30)
    with radvd(wire, tmp_path, valid=10, preferred=5):
        assert net6.wait_for(lambda: re.search(r"valid_lft (\d+)sec", lifetimes(guest)), 20)
        assert net6.wait_for(lambda: 6000 < valid(guest) <= 7200, 20), lifetimes(guest)


def lifetimes(guest):
    return guest.sh(f"ip -6 addr show dev eth0 | grep -A1 ' {PREFIX}:'")


def valid(guest):
    found = re.search(r"valid_lft (\d+)sec", lifetimes(guest))
    return int(found[1]) if found else -1


def test_link_mtu(guest, wire, tmp_path):
    with radvd(wire, tmp_path, "AdvLinkMTU 1400;"):
        assert net6.wait_for(lambda: of_prefix(guest), 30)
        assert net6.wait_for(lambda: guest.sh("cat /proc/sys/net/ipv6/conf/eth0/mtu").strip() == "1400", 20)
        address = next(iter(of_prefix(guest)))
        said = wire.scapy(f"""
s = AsyncSniffer(iface=tap, lfilter=lambda p: p.haslayer(Ether) and p[Ether].src == "{wire.guest_mac}" and IPv6 in p and len(p[IPv6]) > 600,
                 started_callback=lambda: sendp(Ether(dst="{wire.guest_mac}")/IPv6(src="{PREFIX}::1", dst="{address}")/ICMPv6EchoRequest(data=b"m" * 1440), iface=tap), count=1)
s.start(); s.join(timeout=10)
print(max(len(p[IPv6]) for p in s.results))
""")
        assert 1200 < int(said) <= 1400, said
        guest.sh("ping -c 1 -W 5 -s 1472 10.0.2.2")  # IPv4 keeps the interface's


def test_hop_limit_and_timers(guest, wire, tmp_path):
    with radvd(wire, tmp_path, "AdvCurHopLimit 77;", "AdvReachableTime 20000;", "AdvRetransTimer 1500;"):
        assert net6.wait_for(lambda: guest.sh("cat /proc/sys/net/ipv6/conf/eth0/hop_limit").strip() == "77", 30)
        assert re.search(r"^eth0 .* 20000 +1500 ", guest.sh("cat /proc/net/weft/ipv6"), re.M)


def test_name_servers_are_told_to_user_space(guest, wire, tmp_path):
    with radvd(wire, tmp_path, "RDNSS 2001:db8:a::53 { AdvRDNSSLifetime 600; };", "DNSSL example.org { AdvDNSSLLifetime 600; };"):
        assert net6.wait_for(lambda: "2001:db8:a::53" in guest.sh("cat /proc/net/weft/rdnss"), 30)
        assert "example.org" in guest.sh("cat /proc/net/weft/rdnss")


def test_more_specific_routes(guest, wire, tmp_path):
    """RFC 4191, for hosts that are told to listen to them."""
    guest.sh("echo 64 > /proc/sys/net/ipv6/conf/eth0/accept_ra_rt_info_max_plen")
    with radvd(wire, tmp_path, "route 2001:db8:cafe::/48 { AdvRoutePreference high; AdvRouteLifetime 900; };"):
        assert net6.wait_for(lambda: "2001:db8:cafe::/48 via fe80:" in routes(guest), 30), routes(guest)


def test_temporary_addresses(guest, wire, tmp_path):
    guest.sh("echo 2 > /proc/sys/net/ipv6/conf/eth0/use_tempaddr")
    with radvd(wire, tmp_path):
        assert net6.wait_for(lambda: len(of_prefix(guest)) >= 2, 40), net6.addresses(guest)
        temporary = [a for a, v in of_prefix(guest).items() if v[2] & net6.FLAGS["temporary"]]
        assert len(temporary) == 1
        # RFC 6724 rule 7: what the guest begins comes from there
        guest.sh(f"(sleep 2; ping6 -c 10 {PREFIX}::1 > /dev/null) &")
        heard = wire.scapy(f"""
s = AsyncSniffer(iface=tap, lfilter=lambda p: ICMPv6EchoRequest in p and p[IPv6].dst == "{PREFIX}::1", count=1)
s.start(); s.join(timeout=25)
print(s.results[0][IPv6].src if s.results else "nothing")
""", 60)
        assert heard.strip() == temporary[0], heard


def test_switched_off(guest, wire, tmp_path):
    guest.sh("echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_ra")
    with radvd(wire, tmp_path):
        guest.sh("sleep 6", 20)
        assert not of_prefix(guest) and "default via" not in routes(guest)


def test_dnsmasq_as_router(guest, wire, tmp_path):
    """dnsmasq's advertisements with stateless DHCPv6: the address by the prefix, the O flag shown."""
    with net6.daemon(wire, ["dnsmasq", "-d", "-C", "/dev/null", "-p", "0", "-i", wire.tap, "--bind-interfaces", "--enable-ra", "--user=root",
                            f"--dhcp-range={PREFIX}::,ra-stateless,64,600", f"--ra-param={wire.tap},4,600",
                            f"--dhcp-leasefile={tmp_path}/leases", "--dhcp-option=option6:dns-server,[2001:db8:a::54]"], "started"):
        assert net6.wait_for(lambda: of_prefix(guest), 40)
        assert net6.pings(wire, next(iter(of_prefix(guest))))
        out = guest.sh("cat /proc/net/weft/ipv6")
        assert re.search(r"^eth0 .* no +yes ", out, re.M), out
        assert net6.wait_for(lambda: "2001:db8:a::54" in guest.sh("cat /proc/net/weft/rdnss"), 20)


def test_gone_with_the_module(guest, wire, tmp_path):
    with radvd(wire, tmp_path):
        assert net6.wait_for(lambda: of_prefix(guest) and "default via" in routes(guest), 30)
        guest.sh("rmmod ipv6")
        assert net6.addresses(guest) == {}
        guest.sh("ping -c 1 -W 5 10.0.2.2")
        net6.load(guest)
        assert net6.wait_for(lambda: of_prefix(guest) and "default via" in routes(guest), 40)


def test_name_servers_in_resolv_conf(guest, wire, tmp_path):
    """The start scripts' hook: behind what was there, as long as it is valid."""
    guest.sh("echo nameserver 10.0.2.3 > /etc/resolv.conf; /etc/init.d/rdnss > /dev/null 2>&1 & echo $! > /run/rdnss.pid")
    with radvd(wire, tmp_path, "RDNSS 2001:db8:a::53 { AdvRDNSSLifetime 20; };", "DNSSL example.org { AdvDNSSLLifetime 20; };"):
        assert net6.wait_for(lambda: "search example.org" in guest.sh("cat /etc/resolv.conf"), 30)
        lines = guest.sh("cat /etc/resolv.conf").split("\n")
        assert lines[0] == "nameserver 10.0.2.3" and "nameserver 2001:db8:a::53" in lines
    assert net6.wait_for(lambda: guest.sh("cat /etc/resolv.conf").strip() == "nameserver 10.0.2.3", 50)
    guest.sh("kill $(cat /run/rdnss.pid)")
