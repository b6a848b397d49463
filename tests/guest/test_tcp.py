# SPDX-License-Identifier: MIT
"""TCP as programs see it: the programs tcp* say line for line what Linux says, and BusyBox's network programs
work as clients and servers over the loopback interface."""
import programs
import pytest
from guest import wait_for


@pytest.fixture
def guest(machine):
    return machine(extra=programs.build())


@pytest.mark.parametrize("name", ["tcpsock", "tcpdata", "tcpready", "tcpopts", "sockrare", "sockstamps"])
def test_program(guest, name):
    out, status = guest.run(f"/test/{name}", 150)
    failures = [line for line in out.splitlines() if not line.startswith("ok ")]
    assert status == 0 and failures[-1].endswith(" ok, 0 failed"), "\n".join(failures)


def test_nothing_is_left(guest):
    """Sockets, buffers and connections of killed programs are given back."""
    guest.run("/test/tcpsock reset_before_accept; /test/tcpdata there_and_back full", 60)

    def left():
        line = next(x for x in guest.sh("cat /proc/net/sockstat").splitlines() if x.startswith("TCP:"))
        words = line.split()
        counts = dict(zip(words[1::2], map(int, words[2::2])))
        return line if any(counts[k] for k in ("inuse", "orphan", "alloc", "mem")) else ""

    assert wait_for(lambda: not left()), left()


def test_netcat(guest):
    guest.sh("head -c 2000000 /dev/urandom > /tmp/data")
    guest.sh("nc -l -p 7001 > /tmp/got &")
    guest.until("netstat -ltn | grep -q :7001")
    guest.sh("nc 127.0.0.1 7001 < /tmp/data; wait", 60)
    assert guest.sh("cmp /tmp/data /tmp/got && echo same").strip() == "same"
    out, status = guest.run("nc 127.0.0.1 7001 < /dev/null")
    assert status != 0 and "refused" in out


def test_http(guest):
    guest.sh("mkdir -p /tmp/www; head -c 3000000 /dev/urandom > /tmp/www/file; echo hello > /tmp/www/index.html")
    guest.sh("httpd -p 127.0.0.1:8080 -h /tmp/www")
    try:
        assert guest.sh("wget -q -O - http://127.0.0.1:8080/").strip() == "hello"
        guest.sh("wget -q -O /tmp/got http://127.0.0.1:8080/file && cmp /tmp/got /tmp/www/file", 60)
        out, status = guest.run("wget -O - http://127.0.0.1:8080/nothing")
        assert status != 0 and "404" in out
    finally:
        guest.sh("killall httpd")


def test_telnet(guest):
    guest.sh("telnetd -b 127.0.0.1 -p 2323 -l /bin/sh")
    try:
        out, _ = guest.run("(sleep 1; echo 'echo so$((40+2))'; sleep 1; echo exit; sleep 1) | telnet 127.0.0.1 2323")
        assert "so42" in out
    finally:
        guest.sh("killall telnetd")
