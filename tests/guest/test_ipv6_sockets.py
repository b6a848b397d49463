# SPDX-License-Identifier: MIT
"""IPv6 as programs use it: the sockets API case by case (tests/guest/programs/ip6*.c, which say the same on Linux),
BusyBox's tools, and Debian's programs over ::1."""
import re

import debian
import programs
import pytest


@pytest.fixture
def g(machine):
    return machine(extra=programs.build())


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


@pytest.mark.parametrize("name", ["ip6sock", "ip6opts", "ip6raw"])
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
    g.sh("modprobe ipv6; modprobe tcp; sleep 2; httpd -h /www")
    assert "1 packets received" in g.sh("ping -6 -c 1 localhost")
    assert "1 packets received" in g.sh("ping6 -c 1 -s 3000 ::1")
    assert re.search(r"^ 1  ::1 ", g.sh("traceroute6 -n ::1"), re.M)
    for host in ("[::1]", "localhost", "127.0.0.1"):
        assert "<!DOCTYPE html>" in g.sh(f"wget -q -O - http://{host}/")
    assert "heard" in g.sh("echo heard | nc -w 3 -l -p 7777 :: > /dev/null & sleep 0.3; nc -w 1 ::1 7777 < /dev/null; wait", 20)
    assert re.search(r":::80\s+:::\*\s+LISTEN", g.sh("netstat -tln; killall httpd"))


def test_servers_of_both_versions(box):
    box.sh("modprobe ipv6; printf 'pid /tmp/n.pid; error_log /tmp/n.err; events { } http { access_log off; server {"
           " listen [::]:8080 ipv6only=off; root /usr/share/nginx/html; } }\\n' > /tmp/n.conf; nginx -c /tmp/n.conf")
    for host in ("-6 http://localhost", "-4 http://127.0.0.1", "-g http://[::1]"):
        assert "Welcome to nginx" in box.sh(f"curl -s {host}:8080/", 30)
    box.sh("redis-server --bind ::1 --port 6390 --save '' --daemonize yes > /dev/null; sleep 1")
    assert "OK" in box.sh("redis-cli -h ::1 -p 6390 set a b")
    box.sh("socat TCP6-LISTEN:9000,fork,reuseaddr EXEC:cat > /dev/null 2>&1 & sleep 1")
    assert "six" in box.sh("echo six | socat -t 2 - TCP6:[::1]:9000", 20)
    assert "four" in box.sh("echo four | socat -t 2 - TCP4:127.0.0.1:9000", 20)


def test_streams_of_both_versions(box):
    box.sh("modprobe ipv6; iperf3 -s -D > /dev/null; sleep 1")
    for host in ("-6 -c ::1", "-4 -c 127.0.0.1", "-6 -u -b 20M -c ::1"):
        assert "receiver" in box.sh(f"iperf3 {host} -t 1", 60)
