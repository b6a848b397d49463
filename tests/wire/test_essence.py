# SPDX-License-Identifier: MIT
"""What must work with each card and with one processor as with two: streams, many connections, a bad wire, small
datagrams as fast as they go, a flood; and an answer after each. The other files of this folder use the e1000 and two
processors for what does not depend on them."""
import hashlib
import random
import subprocess

import programs
import pytest
import test_tcp_torture as torture
from conftest import TROUBLE
from guest import Guest, Relay, wait_for

HOST, GUEST = "10.0.2.2", "10.0.2.15"
SIZE, LOSSY_SIZE = 5_000_000, 300_000
CARDS = {
    "e1000-1": dict(nic="e1000", smp=1),
    "e1000e-2": dict(nic="e1000e", machine="q35", smp=2),
    "e1000e-1": dict(nic="e1000e", machine="q35", smp=1, cpu="max"),
    "virtio-2": dict(nic="virtio-net-pci", machine="q35", smp=2),
    "virtio-1": dict(nic="virtio-net-pci", machine="q35", smp=1, cpu="max"),
}
# Serves `size` pseudo-random bytes, or takes a stream and tells its hash, once.
PEER = """
import socket, hashlib, random, sys
what, size = sys.argv[1], int(sys.argv[2])
s = socket.create_server(('10.0.2.2', 9000))
s.settimeout(60)
print('ready', flush=True)
c = s.accept()[0]
c.settimeout(60)
if what == 'serve':
    c.sendall(random.Random(7).randbytes(size))
    c.shutdown(socket.SHUT_WR)
    c.recv(1)
else:
    h, n = hashlib.md5(), 0
    while part := c.recv(1 << 20):
        h.update(part)
        n += len(part)
    print(n, h.hexdigest(), flush=True)
"""
# Takes datagrams until none came for a while; how many.
COUNTER = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
s.bind(('10.0.2.2', 9001))
print('ready', flush=True)
s.settimeout(30)
n = 0
try:
    while s.recv(100):
        n += 1
        s.settimeout(0.4)
except TimeoutError:
    print(n, flush=True)
"""


@pytest.fixture(scope="module", params=CARDS)
def guest(request, machines):
    """The machine of this card with its servers, for all tests of the card: a TAP takes one at a time."""
    g = Guest(netns=machines.net(), mem=96, extra=programs.build(), **CARDS[request.param])
    g.card = request.param
    try:
        g.login(120).quiet()
        g.sh("arp -s 10.0.2.77 52:54:00:aa:00:02; mkdir -p /www; echo served > /www/index.html; httpd -h /www; "
             "(nc -ll -p 7 -e cat > /dev/null 2>&1 &); (/test/udpsock echo 7 &)")
        g.sh(f"while cat /bin/busybox; do true; done 2>/dev/null | head -c {SIZE} > /tmp/stream")
        g.until("netstat -tln | grep -q ':80 ' && netstat -tln | grep -q ':7 ' && netstat -uln | grep -q ':7 '")
        yield g
    finally:
        g.stop()


@pytest.fixture(autouse=True)
def answers_afterwards(request, guest, wire):
    since = len(guest.log)
    request.node.shared = [(guest, since)]
    yield
    assert torture.works(wire), torture.state(guest)
    assert not TROUBLE.search(guest.log, since)


class Peer:
    """A program on the other side while a block runs; it says `ready` first."""

    def __init__(self, net, program, *args):
        self.command = [*net.prefix, "/usr/bin/python3", "-c", program, *map(str, args)]

    def __enter__(self):
        self.proc = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        assert self.line() == "ready"
        return self

    def line(self):
        return self.proc.stdout.readline().strip()

    def __exit__(self, *args):
        self.proc.kill()
        self.proc.wait()
        self.proc.stdout.close()


def comes_in(guest, wire, size):
    expected = hashlib.md5(random.Random(7).randbytes(size)).hexdigest()
    with Peer(wire, PEER, "serve", size):
        assert expected in guest.sh(f"nc {HOST} 9000 </dev/null | md5sum", 90)


def goes_out(guest, wire, size):
    expected = guest.sh(f"head -c {size} /tmp/stream | md5sum").split()[0]
    with Peer(wire, PEER, "take", size) as peer:
        guest.sh(f"head -c {size} /tmp/stream | nc {HOST} 9000", 90)
        assert peer.line().split() == [str(size), expected]


def test_streams_both_ways(guest, wire):
    comes_in(guest, wire, SIZE)
    goes_out(guest, wire, SIZE)


def test_streams_over_a_bad_wire(guest, wire):
    with Relay(wire, seed=5, loss=2, reorder=5, duplicate=2, corrupt=1, delay=5):
        comes_in(guest, wire, LOSSY_SIZE)
        goes_out(guest, wire, LOSSY_SIZE)


def test_many_connections(guest, wire):
    """Fifty that stay open, each of which echoes; then 150 requests, ten at a time."""
    said, status = wire.run(f"""/usr/bin/python3 -c "
import concurrent.futures, http.client, socket
all = []
for n in range(50):
    all.append(socket.create_connection(('{GUEST}', 7), 20))
    all[n].sendall(b'first'); assert all[n].recv(99) == b'first', n
for n, c in enumerate(all): c.sendall(b'%8d' % n)
for n, c in enumerate(all): assert c.recv(99) == b'%8d' % n, n
def get(n):
    c = http.client.HTTPConnection('{GUEST}', timeout=30)
    c.request('GET', '/')
    return c.getresponse().read()
with concurrent.futures.ThreadPoolExecutor(10) as pool:
    print(sum(got == b'served\\n' for got in pool.map(get, range(150))))
" """, 90)
    assert status == 0 and said == "150\n", said


def blast_out(guest, wire, seconds):
    with Peer(wire, COUNTER) as peer:
        sent = int(guest.sh(f"/test/udpsock blast {HOST} 9001 {seconds}", 60))
        return sent, int(peer.line())


def test_small_datagrams_as_fast_as_they_go(guest, wire):
    """In, where what finds no room in the TAP's queue is lost, and out, where the sender waits for the card."""
    said = wire.run(f"""/usr/bin/python3 -c "
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
s.connect(('{GUEST}', 7))
end, sent, back = time.time() + 1, 0, 0
while time.time() < end:
    sent += s.send(b'x' * 64) == 64
s.settimeout(0.4)
try:
    while s.recv(100): back += 1
except TimeoutError:
    print(sent, back)
" """, 60)[0]
    sent, back = map(int, said.split())
    assert sent > 1000 and back > 100, said
    sent, came = blast_out(guest, wire, 1)
    assert sent > 1000 and came > sent / 2, (sent, came)


def test_flood_of_segments(guest, wire):
    """Without the pace that test_tcp_torture.py keeps: what finds no room in the TAP's queue is lost."""
    program = dict(torture.CASES)["out_of_order_flood"].replace("time.sleep(0.004)", "pass")
    torture.scapy(wire, program.replace("offs[:8000]", "offs[:2500]").replace("offs[:2000]", "offs[:500]"), 0)


def test_datagrams_and_streams_in_turn(guest, wire):
    """The send queue fills, the receiver is asked to sleep and to wake. With one emulated processor virtio's device
    works in a thread beside it, where no notification may be lost: ten turns."""
    for _ in range(10 if guest.card == "virtio-1" else 1):
        assert blast_out(guest, wire, 1)[0] > 1000
        comes_in(guest, wire, 1_000_000)
        goes_out(guest, wire, 1_000_000)
        assert wait_for(lambda: wire.run(f"ping -c 1 -W 1 {GUEST}")[1] == 0, 5)
