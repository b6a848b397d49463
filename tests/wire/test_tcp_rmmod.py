# SPDX-License-Identifier: MIT
"""tcp.ko leaves: not while it is used, and then rmmod names who; by force with a RST to each peer, and callers
told; and comes back by itself with the next socket. Neither TIME-WAITs nor orphans keep it."""
import re
import socket
import subprocess
import sys
import time

import pytest

GUEST = "10.0.2.15"


@pytest.fixture(scope="module")
def target(machines):
    net = machines.net()
    guest = machines.get(netns=net, mem=64)
    guest.sh("ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up; mkdir -p /www; echo served > /www/index.html")
    guest.sh("httpd -h /www")
    guest.serving(80)
    return guest, net


def served(net):
    return net.run(f"curl -s -m 5 http://{GUEST}/")[0].strip() == "served"


def client(net, program):
    return subprocess.Popen([*net.prefix, sys.executable, "-c", f"import socket\ns = socket.create_connection(({GUEST!r}, 7), 5)\n" +
                             program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_busy(target):
    guest, net = target
    assert served(net)
    out, status = guest.run("rmmod tcp")
    assert status == 1
    log = guest.sh("dmesg | tail -3; cat /sys/module/tcp/holders/* 2>/dev/null; true")
    pid = guest.sh("pidof httpd").strip()
    assert re.search(rf"in use: tcp: \d+ socket.*pid {pid} fd \d+", log), log
    assert served(net)


def test_force(target):
    """A caller that waits for its answer."""
    guest, net = target
    server = subprocess.Popen([*net.prefix, sys.executable, "-c", """
import socket
l = socket.create_server(("10.0.2.2", 8000))
print("listens", flush=True)
s = l.accept()[0]
s.recv(1000)
print("asked", flush=True)
try: print("end", s.recv(1))
except ConnectionResetError: print("reset")
"""], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert server.stdout.readline() == "listens\n"
    guest.sh("(wget -O - http://10.0.2.2:8000/ > /tmp/wget 2>&1; echo status $? >> /tmp/wget) &")
    assert server.stdout.readline() == "asked\n"
    begin = time.monotonic()
    guest.sh("rmmod -f tcp")
    assert time.monotonic() - begin < 8
    assert server.communicate(timeout=5)[0] == "reset\n"
    assert "tcp " not in guest.sh("lsmod")
    assert not served(net)
    out = guest.until("grep -q status /tmp/wget && cat /tmp/wget") + guest.sh("killall httpd; true")
    assert "status 1" in out and "caused connection abort" in out, out


def test_comes_back(target):
    guest, net = target
    guest.sh("httpd -h /www")
    guest.serving(80)
    assert served(net)
    assert "tcp " in guest.sh("lsmod")


def test_leftovers_do_not_hold_it(target):
    """An orphan whose peer does not read gets its RST, TIME-WAITs just go."""
    guest, net = target
    for _ in range(5):
        assert served(net)
    guest.sh("(dd if=/dev/zero bs=64k count=100 2>/dev/null | nc -l -p 7 > /dev/null 2>&1) &")
    guest.serving(7)
    c = client(net, "import time\nprint('connected', flush=True)\ntime.sleep(6)\n"
                    "try:\n  while s.recv(65536): pass\n  print('end')\nexcept ConnectionResetError: print('reset')\n")
    assert c.stdout.readline() == "connected\n"
    time.sleep(1)
    guest.sh("killall httpd nc; sleep 0.3")
    assert re.search(r"orphan [1-9]\d* tw [1-9]", guest.sh("cat /proc/net/sockstat"))
    guest.sh("rmmod tcp_cubic; rmmod tcp")
    assert c.communicate(timeout=15)[0] == "reset\n"
    out = guest.sh("grep tcp_ /proc/slabinfo; cat /proc/net/weft/pkt; true")
    assert "tcp_" not in out and re.search(r"tx limit \d+ used 0 ", out), out
