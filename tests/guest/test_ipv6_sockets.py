# SPDX-License-Identifier: MIT
"""IPv6 as programs use it: the sockets API case by case (tests/guest/programs/ip6*.c, which say the same on Linux),
BusyBox's tools, and Debian's programs over ::1."""
import re

import debian
import net6
import programs
import pytest


@pytest.fixture
def g(machine):
    return machine(extra=programs.build())


@pytest.fixture
def network(machine):
    guest = machine(extra=debian.extra("network"), mem=384)
    guest.sh("modprobe udp; modprobe tcp")
    net6.load(guest)
    yield guest
    guest.run("killall dnsmasq radvd 2>/dev/null; wait; echo 0 > /proc/sys/net/ipv6/conf/all/forwarding; rm -f /tmp/*")


@pytest.fixture
def box(machine):
    guest = machine(extra=debian.extra(), mem=512)
    yield guest
    guest.run("killall -9 nginx redis-server socat openssl iperf3 httpd telnetd 2>/dev/null; wait; rm -rf /tmp/*")


def test_the_first_socket_loads_the_module(start):
    g = start(extra=programs.build()).login(120)
    assert "ipv6" not in g.sh("lsmod")
    g.sh("/test/ip6sock tcp_any_is_loopback v6only")
    assert re.search(r"^ipv6 ", g.sh("lsmod"), re.M)


@pytest.mark.parametrize("name", ["ip6sock", "ip6opts", "ip6adv", "ip6form", "ip6raw"])
def test_program(g, name):
    out, status = g.run(f"/test/{name}", 150)
    failures = [line for line in out.splitlines() if not line.startswith("ok ")]
    assert status == 0 and failures[-1].endswith(" ok, 0 failed"), "\n".join(failures)


def test_bindv6only(g):
    """The setting is what new sockets begin with."""
    g.sh("modprobe ipv6; echo 1 > /proc/sys/net/ipv6/bindv6only")
    out, status = g.run("/test/ip6sock tcp_both_versions")
    assert status != 0 and "FAIL" in out
    g.sh("echo 0 > /proc/sys/net/ipv6/bindv6only; modprobe tcp; /test/ip6sock tcp_both_versions")


def test_busybox(g):
    net6.load(g)
    g.sh("modprobe tcp; httpd -h /www")
    g.serving(80)
    assert "1 packets received" in g.sh("ping -6 -c 1 localhost")
    assert "1 packets received" in g.sh("ping6 -c 1 -s 3000 ::1")
    assert re.search(r"^ 1  ::1 ", g.sh("traceroute6 -n ::1"), re.M)
    for host in ("[::1]", "localhost", "127.0.0.1"):
        assert "<!DOCTYPE html>" in g.sh(f"wget -q -O - http://{host}/")
    g.sh("echo heard | nc -w 30 -l -p 7777 :: > /dev/null &")
    g.serving(7777)
    assert "heard" in g.sh("nc -w 5 ::1 7777 < /dev/null; wait", 40)
    assert re.search(r":::80\s+:::\*\s+LISTEN", g.sh("netstat -tln; killall httpd"))


def test_servers_of_both_versions(box):
    box.sh("modprobe ipv6; printf 'pid /tmp/n.pid; error_log /tmp/n.err; events { } http { access_log off; server {"
           " listen [::]:8080 ipv6only=off; root /usr/share/nginx/html; } }\\n' > /tmp/n.conf; nginx -c /tmp/n.conf")
    for host in ("-6 http://localhost", "-4 http://127.0.0.1", "-g http://[::1]"):
        assert "Welcome to nginx" in box.sh(f"curl -s {host}:8080/", 30)
    box.sh("redis-server --bind ::1 --port 6390 --save '' --daemonize yes > /dev/null")
    box.serving(6390)
    assert "OK" in box.sh("redis-cli -h ::1 -p 6390 set a b")
    box.sh("socat TCP6-LISTEN:9000,fork,reuseaddr EXEC:cat > /dev/null 2>&1 &")
    box.serving(9000)
    assert "six" in box.sh("echo six | socat -t 2 - TCP6:[::1]:9000", 20)
    assert "four" in box.sh("echo four | socat -t 2 - TCP4:127.0.0.1:9000", 20)


def test_streams_of_both_versions(box):
    box.sh("modprobe ipv6; iperf3 -s -D > /dev/null")
    box.serving(5201)
    for host in ("-6 -c ::1", "-4 -c 127.0.0.1", "-6 -u -b 20M -c ::1"):
        assert "receiver" in box.sh(f"iperf3 {host} -t 1", 60)


def test_ping_of_iputils(network):
    """Flow labels are leased, a link is named where it must be, too long is told with the path's MTU."""
    assert "1 received" in network.sh("/bin/ping -6 -n -c 1 ::1")
    assert "1 received" in network.sh("/bin/ping -6 -n -c 1 -Q 0x28 -t 1 -s 3000 ::1")
    assert "flow 0x54321" in network.sh("/bin/ping -6 -n -c 1 -F 0x54321 ::1")
    assert "54321 1 0" in network.sh("cat /proc/net/ip6_flowlabel")
    assert "not permitted" in network.run("/bin/ping -6 -n -c 1 -F 0x54321 ::1")[0]
    assert re.search(r"flow 0x[0-9a-f]{5}.*1 received", network.sh("/bin/ping -6 -n -c 1 -F 0 ::1"), re.S)
    link_local = network.sh("ifconfig eth0 | sed -n 's/.*addr: \\(fe80.*\\)\\/64.*/\\1/p'").strip()
    assert f"64 bytes from {link_local}%eth0" in network.sh("/bin/ping -6 -n -c 1 -I eth0 ff02::1")
    assert "1 received" in network.sh(f"/bin/ping -6 -n -c 1 {link_local}%eth0")
    assert "0 received" in network.run(f"/bin/ping -6 -n -c 1 -W 1 {link_local}")[0]
    assert "message too long, mtu: 1500" in network.run("/bin/ping -6 -n -c 1 -W 1 -M do -s 1460 ff02::1%eth0")[0]


def test_traceroutes(network):
    """Errors by RECVERR, by raw sockets and by what the error queue says beside."""
    assert "pmtu 65536 hops 1 back 1" in network.sh("tracepath -6 -n ::1")
    for how in ("", "-I", "-T -p 9", "-l 777", "-U", "--mtu"):
        assert re.search(r"^ 1  ::1  \d", network.sh(f"traceroute.db -6 -n {how} ::1", 60), re.M), how
    for program in ("rltraceroute6 -n ::1", "tracert6 -n ::1", "tcptraceroute6 -n ::1 9"):
        assert re.search(r" 1  ::1  \d", network.sh(program, 60)), program
    assert re.search(r"1\.\|-- ::1 +0\.0%", network.sh("mtr -6 -n -r -c 1 ::1", 60))


def test_routers_as_guests(network):
    """radvd and dnsmasq: raw ICMPv6 with PKTINFO, HOPLIMIT, CHECKSUM, a filter, groups of the link."""
    network.sh("printf 'interface eth0 { AdvSendAdvert on; prefix 2001:db8:1::/64 { }; };' > /tmp/radvd.conf;"
               " echo 1 > /proc/sys/net/ipv6/conf/all/forwarding;"
               " radvd -C /tmp/radvd.conf -n -d 3 -m stderr -u root -p /tmp/r.pid > /tmp/r.log 2>&1 &")
    network.until("grep -q myself /tmp/r.log")
    network.sh("killall radvd; wait")
    log = network.sh("cat /tmp/r.log")
    assert "(myself)" in log and "sending stop adverts" in log
    network.sh("ip addr add 2001:db8:2::1/64 dev eth0")
    assert net6.wait_for(lambda: net6.ready(network, "2001:db8:2::1"), 30)
    network.sh("mkdir -p /var/lib/misc; dnsmasq --log-facility=/tmp/d.log -p 0 -i eth0"
               " --dhcp-range=2001:db8:2::100,2001:db8:2::1ff,64 --enable-ra -u root --pid-file=/tmp/d.pid")
    network.until("grep -q 'RTR-ADVERT(eth0) 2001:db8:2::' /tmp/d.log")
    network.sh("ip addr del 2001:db8:2::1/64 dev eth0")
