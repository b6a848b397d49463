# SPDX-License-Identifier: MIT
"""Debian's ss over NETLINK_SOCK_DIAG: each kind of socket, filters that the kernel runs, sockets that it ends, and
the modules' coming and going."""
import re

import debian
import pytest


@pytest.fixture
def box(machine):
    guest = machine(extra=debian.extra("tools"), mem=512)
    yield guest
    guest.run("killall ncat httpd tcpdump sleep 2>/dev/null; wait; rm -rf /tmp/*")


def ss(box, arguments):
    """The lines behind the title, split; nothing may be complained about."""
    out = box.sh(f"ss -H {arguments} 2> /tmp/ss.err; cat /tmp/ss.err >&2")
    assert box.sh("cat /tmp/ss.err").strip() == "", out
    return [line.split() for line in out.replace("\r", "").splitlines() if line.strip()]


def serve(box, port):
    box.sh(f"(ncat -k -l {port} > /tmp/n 2> /tmp/err & echo $! > /tmp/pid)")
    box.until(f"ss -Hltn sport = :{port} | grep -q LISTEN")
    return box.sh("cat /tmp/pid").strip()


def connect(box, port):
    box.sh(f"(sleep 60 | ncat 127.0.0.1 {port} > /tmp/c 2>&1; echo $? > /tmp/status) &")
    box.until(f"ss -Htn dport = :{port} | grep -q :{port}")


def test_listeners_and_processes(box):
    pid = serve(box, 7001)
    lines = ss(box, "-tlnp")
    assert {(line[0], line[3]) for line in lines if line[3].endswith(":7001")} == {
        ("LISTEN", "0.0.0.0:7001"), ("LISTEN", "[::]:7001")}
    assert all(f'("ncat",pid={pid},' in line[5] for line in lines if line[3].endswith(":7001"))
    # the queue's bound, which /proc/net/tcp does not tell
    assert {line[2] for line in lines if line[3].endswith(":7001")} == {"10"}
    modules = box.sh("lsmod")
    assert "sock_diag" in modules and "rtnetlink" not in modules


def test_tcp_info_and_memory(box):
    box.sh("mkdir /tmp/h; httpd -p 8081 -h /tmp/h; (sleep 60 | ncat 127.0.0.1 8081 > /dev/null 2>&1) &")
    box.until("ss -Htn state established dport = :8081 | grep -q 8081")
    out = box.sh("ss -tinm dport = :8081")
    assert re.search(r"\bcubic .*rto:\d+.* rtt:[\d.]+/[\d.]+ .*mss:\d+ pmtu:65536 .*cwnd:\d+ ", out), out
    assert re.search(r"skmem:\(r\d+,rb\d+,t\d+,tb\d+,f\d+,w\d+,o\d+,bl\d+,d\d+\)", out), out
    assert re.search(r" send \d+bps .*pacing_rate \d+bps", out), out


def test_states_and_filters(box):
    serve(box, 7001)
    connect(box, 7001)
    both = {line[0] for line in ss(box, "-tan dport = :7001 or sport = :7001")}
    assert "LISTEN" in both and len(both) == 3
    assert [line[3] for line in ss(box, "-tn state close-wait dport = 7001")] == ["127.0.0.1:7001"]
    assert len(ss(box, "-tan dport = 7001")) == 1 and ss(box, "-tan dport = 7001 sport = 7001") == []
    assert len(ss(box, "-tan '( sport = 7001 or dport = 7001 ) and sport != 7001 dst 127.0.0.0/8'")) == 1
    assert ss(box, "-tan sport gt 7001 and sport lt 7003") == []
    assert len(ss(box, "-tan src 127.0.0.1:7001")) == 1 and ss(box, "-tan src 10.0.0.0/8") == []
    assert len(ss(box, "-6 -tan sport = 7001")) == 1 and len(ss(box, "-4 -tan sport = 7001")) == 2


def test_datagrams_raw_packet_netlink(box):
    box.sh("(ncat -u -4 -l 7004 > /dev/null 2>&1 &)")
    box.until("ss -Hlun | grep -q 0.0.0.0:7004")
    assert [line[0] for line in ss(box, "-uan sport = :7004")] == ["UNCONN"]
    box.sh("(ping 10.0.2.2 > /dev/null & echo $! > /tmp/ping)")
    box.until("ss -Hwan | grep -q .")
    assert any("icmp" in line[2] or "icmp" in line[3] for line in ss(box, "-wa"))
    box.sh("kill $(cat /tmp/ping); (tcpdump -n -i eth0 -w /dev/null > /dev/null 2>&1 &)")
    box.until("ss -H0a | grep -q eth0")
    assert any("eth0" in " ".join(line) for line in ss(box, "-0 -a"))
    assert any("tcpdiag:ss" in " ".join(line) for line in ss(box, "-f netlink -a"))


def test_unix(box):
    box.sh("(ncat -U -k -l /tmp/sock > /dev/null 2>&1 &)")
    box.until("ss -Hxl | grep -q /tmp/sock")
    assert [line[:2] for line in ss(box, "-xl src /tmp/sock")] == [["u_str", "LISTEN"]]
    box.sh("(sleep 60 | ncat -U /tmp/sock > /dev/null 2>&1 &)")
    box.until("ss -Hx state connected | grep -q ESTAB")
    ends = ss(box, "-x state connected")
    assert len(ends) == 2 and {ends[0][5], ends[0][7]} == {ends[1][5], ends[1][7]}, ends


def test_sockets_are_ended(box):
    serve(box, 7001)
    connect(box, 7001)
    out = box.run("su -s /bin/sh www-data -c 'ss -K -tan dport = 7001 2>&1'")[0]
    assert "Operation not permitted" in out and len(ss(box, "-tn dport = 7001")) == 1, out
    assert len(ss(box, "-K -tn dport = 7001")) == 1
    assert ss(box, "-tan dport = 7001") == []
    assert len(ss(box, "-K -tln sport = 7001")) == 2
    assert ss(box, "-tln sport = 7001") == []
    assert "refused" in box.run("ncat 127.0.0.1 7001 2>&1 < /dev/null")[0]


def test_modules_come_and_go(box):
    box.sh("ss -tan > /dev/null; rmmod rtnetlink genetlink 2> /dev/null; rmmod sock_diag")
    assert "sock_diag" not in box.sh("lsmod") and "netlink" in box.sh("lsmod")
    for _ in range(10):
        box.sh("ss -tuan > /dev/null; rmmod sock_diag netlink", 10)
    assert "netlink" not in box.sh("lsmod")
    # a transport that is not there has no sockets, and that is all
    box.run("rmmod -f tcp 2> /dev/null")
    box.until("! grep -q '^tcp ' /proc/modules")
    assert [line for line in ss(box, "-tan") if line] == []
    out, status = box.run("ip link > /dev/null; rmmod netlink 2>&1")
    assert status != 0
    box.sh("rmmod rtnetlink sock_diag netlink")


def test_generic_netlink(box):
    """Its controller names itself, and nothing else."""
    out = box.sh("genl ctrl list").replace("\r", "")
    assert "Name: nlctrl" in out and out.count("Name:") == 1 and "ID: 0x10" in out
    assert box.run("genl ctrl get name nl80211")[1] != 0
    box.sh("rmmod genetlink")
