# SPDX-License-Identifier: MIT
"""IPv6 as a user configures it: BusyBox's ifconfig, route and ip, the settings under /proc/sys, the router of QEMU's
user-mode network, and that the module leaves with what it made and comes back to what was given."""
import functools
import os
import re
import subprocess

import net6
import pytest
from modules import used_kb
from debian import MKEXTRA
from guest import BUILD, alone

LL = "fe80::5054:ff:fe12:3456"
SETTINGS = "/proc/sys/net/ipv6/conf"


@pytest.fixture
def g(machine):
    guest = machine()
    net6.load(guest)
    return guest


def wait_sh(g, command, pattern, seconds=30):
    found = net6.wait_for(lambda: re.search(pattern, g.run(command, 20)[0], re.M), seconds)
    assert found, g.run(command, 20)[0]
    return found


def set_to(g, name, value):
    g.sh(f"echo {value} > {SETTINGS}/{name}")


def test_link_local_address_of_the_card(g):
    assert net6.addresses(g)[LL] == (64, 0x20, 0x80)
    assert f"inet6 addr: {LL}/64 Scope:Link" in g.sh("ifconfig eth0")
    assert re.search(rf"inet6 {LL}/64 scope link", g.sh("ip -6 addr show dev eth0"))
    assert "inet6 addr: ::1/128 Scope:Host" in g.sh("ifconfig lo")


def test_user_mode_router_gives_an_address(g):
    """slirp advertises fec0::/64 and itself."""
    address = "fec0::5054:ff:fe12:3456"
    assert net6.wait_for(lambda: net6.ready(g, address), 60)
    life = wait_sh(g, "ip -6 addr show dev eth0", rf"inet6 {address}/64 scope site dynamic \n +valid_lft (\d+)sec preferred_lft (\d+)sec")
    assert int(life[1]) > int(life[2]) > 3600
    wait_sh(g, "ip -6 route", r"^default via fe80::2 dev eth0  metric 1024  expires \d+sec")
    wait_sh(g, "route -A inet6", r"^::/0 +fe80::2 +UGDA +1024 ")
    assert "0% packet loss" in g.sh("ping6 -c 3 -W 5 fec0::2", 30)
    assert re.search(rf"src {address}", g.sh("ip -6 route get fec0::2"))


def test_ifconfig_adds_and_deletes(g):
    g.sh("ifconfig eth0 add 2001:db8:5::1/64")
    assert net6.wait_for(lambda: net6.ready(g, "2001:db8:5::1"), 20)
    assert "inet6 addr: 2001:db8:5::1/64 Scope:Global" in g.sh("ifconfig eth0")
    assert "2001:db8:5::/64" in g.sh("route -A inet6")
    out, status = g.run("ifconfig eth0 add 2001:db8:5::1/64")
    assert status and "File exists" in out
    out, status = g.run("ifconfig eth0 del 2001:db8:5::1/48")
    assert status and "Cannot assign requested address" in out
    g.sh("ifconfig eth0 del 2001:db8:5::1/64")
    assert "2001:db8:5::" not in g.sh("ifconfig eth0; route -A inet6")


def test_ip_addr_with_lifetimes(g):
    g.sh("ip -6 addr add 2001:db8:6::1/64 dev eth0 preferred_lft 3 valid_lft 8")
    wait_sh(g, "ip -6 addr show dev eth0", r"2001:db8:6::1/64 scope global deprecated dynamic", 10)
    assert net6.wait_for(lambda: "2001:db8:6::1" not in net6.addresses(g), 15)


@pytest.mark.parametrize("add,show,delete", [
    ("route -A inet6 add 2001:db8:7::/48 gw 2001:db8:5::9", r"^2001:db8:7::/48 +2001:db8:5::9 +UG +1 ", "route -A inet6 del 2001:db8:7::/48"),
    ("route -A inet6 add 2001:db8:8::/48 dev eth0", r"^2001:db8:8::/48 +:: +U +1 ", "route -A inet6 del 2001:db8:8::/48 dev eth0"),
    ("ip -6 route add 2001:db8:9::/48 via fe80::9 dev eth0", r"^2001:db8:9::/48 +fe80::9 +UG +1024 ", "ip -6 route del 2001:db8:9::/48"),
    ("ip -6 route add unreachable 2001:db8:a::/48", r"^2001:db8:a::/48 +:: +!n +1024 ", "ip -6 route del unreachable 2001:db8:a::/48"),
    ("ip -6 route add default via fe80::9 dev eth0 metric 5", r"^::/0 +fe80::9 +UG +5 ", "ip -6 route del default via fe80::9"),
])
def test_routes_come_and_go(g, add, show, delete):
    g.sh("ifconfig eth0 add 2001:db8:5::1/64")
    g.sh(add)
    assert re.search(show, g.sh("route -A inet6"), re.M), g.sh("route -A inet6")
    assert g.run(add)[1] != 0
    g.sh(delete)
    assert not re.search(show, g.sh("route -A inet6"), re.M)
    assert g.run(delete)[1] != 0
    g.sh("ifconfig eth0 del 2001:db8:5::1/64")


def test_gateway_must_be_reachable(g):
    out, status = g.run("route -A inet6 add 2001:db8:7::/48 gw 2001:db8:ffff::9")
    assert status and re.search("No route to host|unreachable", out), out


def test_neighbours_are_shown(g):
    assert net6.wait_for(lambda: "0% packet loss" in g.run("ping6 -c 1 -W 3 fe80::2%eth0", 20)[0], 20)
    assert re.search(r"^fe80::2 dev eth0 lladdr \S+ .*(REACHABLE|DELAY|STALE)", g.sh("ip -6 neigh"), re.M)


def test_settings_have_linux_names(g):
    assert {"all", "default", "eth0", "lo"} <= set(g.sh(f"ls {SETTINGS}").split())
    names = set(g.sh(f"ls {SETTINGS}/eth0").split())
    assert {"accept_ra", "accept_dad", "addr_gen_mode", "autoconf", "dad_transmits", "disable_ipv6", "forwarding", "hop_limit",
            "max_addresses", "mtu", "router_solicitations", "stable_secret", "temp_prefered_lft", "use_tempaddr"} <= names
    assert g.sh(f"cat {SETTINGS}/eth0/hop_limit {SETTINGS}/eth0/mtu {SETTINGS}/lo/accept_dad").split() == ["64", "1500", "-1"]
    assert g.run(f"echo 3 > {SETTINGS}/eth0/accept_ra")[1] != 0
    assert g.run(f"cat {SETTINGS}/eth0/stable_secret")[1] != 0


def test_disable_and_enable(g):
    set_to(g, "all/disable_ipv6", 1)
    assert not net6.addresses(g) and not net6.addresses(g, "lo")
    out, status = g.run("ip -6 addr add 2001:db8:5::1/64 dev eth0")
    assert status and "denied" in out
    assert g.run("ping6 -c 1 -W 2 ::1")[1] != 0
    assert "0% packet loss" in g.sh("ping -c 1 -W 5 10.0.2.2", 20)
    set_to(g, "all/disable_ipv6", 0)
    assert net6.wait_for(lambda: net6.ready(g, LL), 20)
    assert "0% packet loss" in g.sh("ping6 -c 1 -W 3 ::1", 20)


def test_forwarding_is_for_all(g):
    assert "ff020000000000000000000000000002" not in g.sh("cat /proc/net/igmp6")
    set_to(g, "all/forwarding", 1)
    assert g.sh(f"cat {SETTINGS}/eth0/forwarding {SETTINGS}/default/forwarding").split() == ["1", "1"]
    assert "ff020000000000000000000000000002" in g.sh("cat /proc/net/igmp6")
    set_to(g, "all/forwarding", 0)
    assert "ff020000000000000000000000000002" not in g.sh("cat /proc/net/igmp6")


def test_stable_and_temporary_addresses(g):
    set_to(g, "eth0/stable_secret", "2001:db8:1:2:3:4:5:6")
    set_to(g, "eth0/use_tempaddr", 2)
    found = []
    for _ in range(2):
        g.sh("ifconfig eth0 down; ifconfig eth0 up")
        assert net6.wait_for(lambda: len(net6.addresses(g)) == 3, 60)
        known = net6.addresses(g)
        assert LL not in known
        found.append({a for a, v in known.items() if not v[2] & 1})
        assert sum(v[2] & 1 for v in known.values()) == 1
    assert found[0] == found[1]
    set_to(g, "eth0/use_tempaddr", 0)
    set_to(g, "eth0/addr_gen_mode", 0)
    g.sh("ifconfig eth0 down; ifconfig eth0 up")
    assert net6.wait_for(lambda: net6.ready(g, LL), 60)


def test_interface_down_and_keep_addr(g):
    g.sh("ip -6 addr add 2001:db8:5::1/64 dev eth0; ifconfig eth0 down")
    assert not net6.addresses(g)
    g.sh("ifconfig eth0 up")
    assert net6.wait_for(lambda: net6.ready(g, LL), 20)
    set_to(g, "eth0/keep_addr_on_down", 1)
    g.sh("ip -6 addr add 2001:db8:5::1/64 dev eth0; ifconfig eth0 down")
    assert set(net6.addresses(g)) == {"2001:db8:5::1"}
    g.sh("ifconfig eth0 up")
    assert net6.wait_for(lambda: net6.ready(g, "2001:db8:5::1"), 20)
    set_to(g, "eth0/keep_addr_on_down", 0)
    g.sh("ip -6 addr del 2001:db8:5::1/64 dev eth0")


def test_module_takes_what_it_made(g):
    """What a user gave sleeps meanwhile, and comes back checked anew; IPv4 hears nothing of it."""
    g.sh("ip -6 addr add 2001:db8:5::1/64 dev eth0; ip -6 route add 2001:db8:7::/48 via 2001:db8:5::9")
    for _ in range(5):
        g.sh("rmmod ipv6", 20)
        assert "inet6" not in g.sh("ip addr; ifconfig")
        assert not g.sh("ip -6 route; ip -6 neigh")
        assert g.run("ls /proc/net/if_inet6 /proc/net/ipv6_route /proc/net/igmp6 /proc/sys/net/ipv6/conf")[1] != 0
        assert "0% packet loss" in g.sh("ping -c 1 -W 5 10.0.2.2", 20)
        g.sh("modprobe ipv6")
        assert net6.wait_for(lambda: net6.ready(g, "2001:db8:5::1") and net6.ready(g, LL), 30)
        assert "2001:db8:7::/48 via 2001:db8:5::9 dev eth0" in g.sh("ip -6 route")
    g.sh("ip -6 route del 2001:db8:7::/48; ip -6 addr del 2001:db8:5::1/64 dev eth0")


def test_driver_comes_back_to_its_addresses(g):
    g.sh("ip -6 addr add 2001:db8:5::1/64 dev eth0")
    g.sh("rmmod e1000; modprobe e1000; ifconfig eth0 up", 30)
    assert net6.wait_for(lambda: net6.ready(g, "2001:db8:5::1") and net6.ready(g, LL), 30)
    g.sh("ip -6 addr del 2001:db8:5::1/64 dev eth0; route add default gw 10.0.2.2 2>/dev/null; true")


def test_traffic_over_a_hundred_reloads_leaks_nothing(g):
    g.sh("rmmod ipv6", 30)
    net6.load(g)
    before = used_kb(g)
    g.sh("i=0; while [ $i -lt 30 ]; do rmmod ipv6 || break; modprobe ipv6; i=$((i + 1)); done; [ $i = 30 ]", 120)
    net6.load(g)
    assert used_kb(g) - before < 1024


@functools.cache
def iproute2():
    """Debian's ip and sysctl, laid over BusyBox's."""
    where = os.path.join(BUILD, "test/iproute2")
    with alone("iproute2"):
        if not os.path.exists(where + ".done"):
            made = subprocess.run([MKEXTRA, "-o", where, "iproute2", "procps"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            assert made.returncode == 0, "no Debian packages to be had: " + made.stdout[-300:]
            with open(where + ".done", "w"):
                pass
    return where


@pytest.fixture
def debian_ip(machine):
    guest = machine(extra=iproute2())
    net6.load(guest)
    return guest


def test_iproute2_addresses_and_routes(debian_ip):
    g, ip = debian_ip, "/sbin/ip -6"
    assert "iproute2" in g.sh("/sbin/ip -V")
    g.sh(f"{ip} addr add 2001:db8:6::1/64 dev eth0 valid_lft 100 preferred_lft 50")
    assert re.search(r"2001:db8:6::1/64 scope global .*dynamic \n +valid_lft (100|9\d)sec preferred_lft (50|4\d)sec", g.sh(f"{ip} addr"))
    g.sh(f"{ip} addr change 2001:db8:6::1/64 dev eth0 valid_lft forever preferred_lft forever")
    assert net6.wait_for(lambda: net6.ready(g, "2001:db8:6::1"), 20)
    g.sh(f"{ip} route add 2001:db8:7::/48 via fe80::9 dev eth0 expires 60 pref high; {ip} route add 2001:db8:8::/48 dev eth0 expires 2")
    assert re.search(r"2001:db8:7::/48 via fe80::9 dev eth0 metric 1024 expires [56]\dsec pref high", g.sh(f"{ip} route"))
    assert "via fe80::9 dev eth0 src 2001:db8:6::1" in g.sh(f"{ip} route get 2001:db8:7::1")
    assert net6.wait_for(lambda: "2001:db8:8::" not in g.sh(f"{ip} route"), 10)
    g.sh(f"{ip} route replace 2001:db8:7::/48 dev eth0 metric 1024; {ip} route flush cache")
    assert "2001:db8:7::/48 dev eth0 metric 1024 pref medium" in g.sh(f"{ip} route")
    g.sh(f"{ip} route flush root 2001:db8::/32; {ip} addr flush dev eth0 scope global")
    assert "2001:db8" not in g.sh(f"{ip} route; {ip} addr")
    for refused in ("rule", "rule add from ::/0 table 5", "route add prohibit 2001:db8:f::/48", "route add 2001:db8:f::/48 dev eth0 table 7"):
        out, status = g.run(f"{ip} {refused}")
        assert status and "Operation not supported" in out, refused


def test_iproute2_neighbours_labels_and_monitor(debian_ip):
    g, ip = debian_ip, "/sbin/ip -6"
    g.sh("(/sbin/ip monitor all > /tmp/monitor 2>&1 &)")
    g.until(f"{ip} addr flush to 2001:db8:65::/64; {ip} addr add 2001:db8:65::1/64 dev eth0 nodad; grep -q 2001:db8:65::1 /tmp/monitor")
    g.sh(f"{ip} addr flush to 2001:db8:65::/64; {ip} addr add 2001:db8:66::1/64 dev eth0 nodad")
    g.sh(f"{ip} neigh add 2001:db8:6::9 lladdr 02:00:00:00:00:01 dev eth0; {ip} neigh replace 2001:db8:6::9 lladdr 02:00:00:00:00:02 dev eth0")
    assert "2001:db8:6::9 dev eth0 lladdr 02:00:00:00:00:02 PERMANENT" in g.sh(f"{ip} neigh")
    assert g.run(f"{ip} neigh add 2001:db8:6::9 lladdr 02:00:00:00:00:03 dev eth0")[1]
    g.sh(f"{ip} neigh del 2001:db8:6::9 dev eth0; {ip} neigh add proxy 2001:db8:6::77 dev eth0")
    assert "2001:db8:6::77 dev eth0 proxy" in g.sh(f"{ip} neigh show proxy")
    g.sh(f"{ip} neigh del proxy 2001:db8:6::77 dev eth0; {ip} neigh flush dev eth0")
    assert "2001:db8" not in g.sh(f"{ip} neigh; {ip} neigh show proxy")
    assert "prefix ::1/128 label 0" in g.sh("/sbin/ip addrlabel")
    g.sh("/sbin/ip addrlabel add prefix 2001:db8:5::/48 label 77")
    assert "prefix 2001:db8:5::/48 label 77" in g.sh("/sbin/ip addrlabel list")
    g.sh("/sbin/ip addrlabel del prefix 2001:db8:5::/48 label 77")
    assert "label 77" not in g.sh("/sbin/ip addrlabel")
    g.sh(f"{ip} addr del 2001:db8:66::1/64 dev eth0; kill $(pidof ip)")
    heard = g.sh("cat /tmp/monitor")
    assert "inet6 2001:db8:66::1/64 scope global" in heard and "Deleted 2: eth0" in heard, heard


def test_iproute2_monitors_neighbours_and_prefixes(debian_ip):
    g, ip = debian_ip, "/sbin/ip"
    g.sh(f"{ip} neigh flush all; ({ip} monitor neigh > /tmp/neigh 2>&1 &); ({ip} monitor prefix > /tmp/prefix 2>&1 &); sleep 1")
    g.sh("ping -c 1 -W 5 10.0.2.2; ping -c 1 -W 1 10.0.2.77; true", 30)
    g.sh(f"{ip} neigh add 10.0.2.99 lladdr 02:00:00:00:00:01 dev eth0; {ip} neigh del 10.0.2.99 dev eth0")
    g.sh(f"{ip} -6 neigh add fe80::99 lladdr 02:00:00:00:00:01 dev eth0; {ip} -6 neigh del fe80::99 dev eth0")
    wait_sh(g, "cat /tmp/neigh", r"^Deleted 10.0.2.77 dev eth0 +FAILED")
    heard = g.sh("cat /tmp/neigh")
    assert re.search(r"^10.0.2.2 dev eth0 lladdr 52:55:0a:00:02:02 REACHABLE", heard, re.M), heard
    assert re.search(r"^10.0.2.77 dev eth0 +FAILED", heard, re.M), heard
    for one in ("10.0.2.99", "fe80::99"):
        said = f"{one} dev eth0 lladdr 02:00:00:00:00:01 PERMANENT"
        assert re.search(rf"^{said}.*^Deleted {said}", heard, re.M | re.S), heard
    g.sh("ifconfig eth0 down; ifconfig eth0 up")
    wait_sh(g, "cat /tmp/prefix", r"^prefix fec0::/64 ?dev eth0 onlink autoconf valid \d+ preferred \d+", 60)
    g.sh("kill $(pidof ip); rm /tmp/neigh /tmp/prefix")


def test_sysctl_reads_everything(debian_ip):
    out = debian_ip.sh("/sbin/sysctl -a 2>&1", 60)
    assert "net.ipv6.conf.eth0.proxy_ndp = 0" in out and "net.ipv6.neigh.eth0.retrans_time_ms = 1000" in out
    unreadable = [line for line in out.splitlines() if line.startswith("sysctl:") and "stable_secret" not in line]
    assert not unreadable


def test_a_router_has_anycast_addresses(g):
    g.sh("ip -6 addr add 2001:db8:5::1/64 dev eth0")
    set_to(g, "all/forwarding", 1)
    assert "20010db8000500000000000000000000" in g.sh("cat /proc/net/anycast6")
    assert "0% packet loss" in g.sh("ping6 -c 1 -W 3 2001:db8:5::", 20)
    set_to(g, "all/forwarding", 0)
    assert not g.sh("cat /proc/net/anycast6")
    g.sh("ip -6 addr del 2001:db8:5::1/64 dev eth0")
