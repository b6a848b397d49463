# SPDX-License-Identifier: MIT
"""Debian's programs that look at a machine and its sockets, unmodified."""
import re

import debian
import pytest


@pytest.fixture
def box(machine):
    guest = machine(extra=debian.extra("tools"), mem=512)
    yield guest
    guest.run("killall ncat httpd tcpdump 2>/dev/null; wait; rm -rf /tmp/*")


def listen(box, options, port):
    """An ncat that waits on a port; its number."""
    box.sh(f"(ncat {options} -l {port} > /tmp/n 2> /tmp/err & echo $! > /tmp/pid)")
    where = "udp" if "-u" in options else "tcp"
    box.until(f"cat /proc/net/{where} /proc/net/{where}6 | grep -qi ':{port:04x} 0'")
    return box.sh("cat /tmp/pid").strip()


def test_ss_reads_proc(box):
    """What it is told where it gets no messages; the processes it finds in /proc at any rate."""
    pid = listen(box, "-k", 7001)
    lines = [line.split() for line in box.sh("PROC_ROOT=/proc ss -tlnp").splitlines() if ":7001" in line]
    assert {(line[0], line[3]) for line in lines} == {("LISTEN", "0.0.0.0:7001"), ("LISTEN", "*:7001")}
    assert all(f'("ncat",pid={pid},' in line[5] for line in lines)
    box.sh("(sleep 20 | ncat 127.0.0.1 7001 > /dev/null 2>&1 &)")
    # ncat has nothing to send: half of the connection is closed, and its FIN no longer counts as queued
    box.until("PROC_ROOT=/proc ss -tn | grep -q CLOSE-WAIT.*:7001")
    pair = [line.split()[:3] for line in box.sh("PROC_ROOT=/proc ss -tno").splitlines() if ":7001" in line]
    assert sorted(pair) == [["CLOSE-WAIT", "0", "0"], ["FIN-WAIT-2", "0", "0"]]
    assert re.search(r"^TCP\s+4\s+3\s+1\s*$", box.sh("ss -s"), re.M)


def test_lsof(box):
    pid = listen(box, "-k -4", 7002)
    assert re.search(rf"^ncat +{pid} root +\d+u +IPv4 +\d+ +0t0 +TCP \*:7002 \(LISTEN\)", box.sh("lsof -n -P -i"), re.M)
    assert box.sh("lsof -t -i :7002").split() == [pid]
    out = box.sh(f"lsof -p {pid}")
    assert re.search(r"txt +REG .*/usr/bin/ncat$", out, re.M) and re.search(r"cwd +DIR .* /", out)
    box.sh("exec 8> /tmp/held")
    assert re.search(r" 8w +REG .*/tmp/held$", box.sh("lsof /tmp/held; exec 8>&-"), re.M)


def test_ethtool(box):
    assert "driver: e1000\n" in box.sh("ethtool -i eth0").replace("\r", "")
    assert "driver: loopback" in box.sh("ethtool -i lo")
    assert "Link detected: yes" in box.sh("ethtool eth0")
    out = box.sh("ethtool -k eth0; ethtool -k lo")
    assert out.count("tx-checksumming: on [fixed]") == 2 and "rx-checksumming: on" in out
    assert out.count("generic-segmentation-offload: on [fixed]") == 2 and out.count("tx-tcp-segmentation: on [fixed]") == 2
    for command in ("ethtool -K eth0 tso off", "ethtool -g eth0", "ethtool -i nosuch"):
        out, status = box.run(command + " 2>&1")
        assert status and ("not supported" in out or "No such device" in out), out


def test_ethtool_without_a_driver(box):
    """The interface waits for its driver; there is nothing to be said about it."""
    try:
        out, status = box.run("ip link set eth0 down; rmmod e1000; ethtool -i eth0 2>&1")
        assert status and "No such device" in out
    finally:
        box.run("modprobe e1000; ip link set eth0 up")


def test_ncat(box):
    listen(box, "-6", 7003)
    box.sh("echo over six | ncat --send-only ::1 7003 2> /dev/null")
    box.until("grep -q 'over six' /tmp/n")
    listen(box, "-u -4", 7004)
    box.sh("echo datagram | ncat -u --send-only 127.0.0.1 7004 2> /dev/null")
    box.until("grep -q datagram /tmp/n")
    listen(box, "-4 -c 'busybox tr a-z A-Z'", 7005)
    assert "SHOUT" in box.run("(echo shout; sleep 2) | ncat -i 4 127.0.0.1 7005 2> /dev/null")[0]
    box.sh("(ncat -U -l /tmp/sock > /tmp/u 2> /dev/null &)")
    box.until("echo by name | ncat -U --send-only /tmp/sock 2> /dev/null")
    box.until("grep -q 'by name' /tmp/u")


def test_curl_over_six(box):
    box.sh("mkdir /tmp/h; head -c 1000000 /dev/urandom > /tmp/h/big; httpd -p [::]:8081 -h /tmp/h")
    sums = box.sh("curl -s -m 30 -g http://[::1]:8081/big | md5sum; curl -s -m 30 -6 http://localhost:8081/big | md5sum; md5sum < /tmp/h/big", 90).split()
    assert sums[0] == sums[2] == sums[4]


def test_tcpdump_on_loopback(box):
    box.sh("(tcpdump -n -i lo -c 2 icmp > /tmp/out 2> /tmp/err &)")
    box.until("grep -q listening /tmp/err")
    box.sh("ping -c 2 127.0.0.1 > /dev/null")
    box.until("grep -q captured /tmp/err")
    assert "127.0.0.1 > 127.0.0.1: ICMP echo request" in box.sh("cat /tmp/out")
