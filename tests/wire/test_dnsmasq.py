# SPDX-License-Identifier: MIT
"""Debian's dnsmasq as the link's name server: it answers its peer and its own machine, over UDP, TCP and IPv6,
and asks the server behind it for what it does not know."""
import subprocess

import debian
import pytest

HOST, GUEST = "10.0.2.2", "10.0.2.15"
RECORDS = "--host-record=box.weft.test,10.9.8.7,2001:db8::7 --txt-record=box.weft.test,hello"
# Asks at one address by one way; prints the data of the answers.
ASK = """
import socket, struct, sys
from scapy.all import DNS, DNSQR
how, address, name, kind = sys.argv[1:]
family = socket.AF_INET6 if ':' in address else socket.AF_INET
s = socket.socket(family, socket.SOCK_STREAM if how == 'tcp' else socket.SOCK_DGRAM)
s.settimeout(5)
s.connect(socket.getaddrinfo(address, 53, family)[0][4])
query = bytes(DNS(id=77, rd=1, qd=DNSQR(qname=name, qtype=kind)))
s.send(struct.pack('>H', len(query)) + query if how == 'tcp' else query)
reply = DNS(s.recv(4096)[2 if how == 'tcp' else 0:])
assert reply.id == 77 and reply.qr == 1
print(reply.rcode, *[reply.an[i].rdata for i in range(reply.ancount)])
"""
# The server behind: it knows one address for everything.
BEHIND = """
import socket
from scapy.all import DNS, DNSRR
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('10.0.2.2', 53))
print('ready', flush=True)
while True:
    query, who = s.recvfrom(4096)
    q = DNS(query)
    s.sendto(bytes(DNS(id=q.id, qr=1, rd=1, ra=1, qd=q.qd, an=DNSRR(rrname=q.qd.qname, ttl=60, rdata='192.0.2.99'))), who)
"""


@pytest.fixture
def guest(machine, wire):
    g = machine(netns=wire, extra=debian.extra("tools"), mem=512)
    g.sh(f"dnsmasq -C /dev/null -u root --no-resolv --server={HOST} {RECORDS} --log-facility=/tmp/d.log --pid-file=/tmp/d.pid")
    yield g
    g.run("killall dnsmasq")
    g.until("! pidof dnsmasq")
    g.sh("rm -f /tmp/*")


def ask(net, how, address, name, kind="A"):
    done = subprocess.run([*net.prefix, "/usr/bin/python3", "-c", ASK, how, address, name, kind], timeout=60, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_its_own_records(guest, wire):
    assert ask(wire, "udp", GUEST, "box.weft.test") == "0 10.9.8.7"
    assert ask(wire, "udp", GUEST, "box.weft.test", "AAAA") == "0 2001:db8::7"
    assert "hello" in ask(wire, "tcp", GUEST, "box.weft.test", "TXT")
    out = guest.sh("nslookup box.weft.test 127.0.0.1; nslookup box.weft.test ::1")
    assert out.count("Address: 10.9.8.7") == 2 and out.count("Address: 2001:db8::7") == 2


def test_what_the_server_behind_knows(guest, wire):
    """Asked for on demand, remembered afterwards."""
    with subprocess.Popen([*wire.prefix, "/usr/bin/python3", "-uc", BEHIND], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as behind:
        try:
            assert behind.stdout.readline() == "ready\n"
            assert ask(wire, "udp", GUEST, "far.example") == "0 192.0.2.99"
        finally:
            behind.kill()
    assert "Address: 192.0.2.99" in guest.run("nslookup -type=a far.example 127.0.0.1")[0]


def test_it_is_the_resolver_of_its_machine(guest, wire):
    """By /etc/resolv.conf, as programs ask: curl finds its server by name."""
    guest.sh("cp /etc/resolv.conf /tmp/r; echo nameserver 127.0.0.1 > /etc/resolv.conf; dnsmasq --version > /dev/null")
    guest.sh("kill $(cat /tmp/d.pid)")
    guest.until("! pidof dnsmasq")
    guest.sh("dnsmasq -C /dev/null -u root --no-resolv --host-record=web.weft.test,127.0.0.1,::1"
             " --pid-file=/tmp/d.pid; mkdir -p /tmp/h; echo here > /tmp/h/x; httpd -p [::]:8081 -h /tmp/h")
    try:
        assert guest.sh("curl -s -4 -m 20 http://web.weft.test:8081/x; curl -s -6 -m 20 http://web.weft.test:8081/x", 50).split() == ["here"] * 2
    finally:
        guest.run("cat /tmp/r > /etc/resolv.conf; killall httpd; rm -rf /tmp/h")
