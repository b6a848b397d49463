# SPDX-License-Identifier: MIT
"""TCP to and from the host's own stack over a wire that loses, repeats, reorders, damages and delays: every byte
arrives, in order, whatever the wire does."""
import hashlib
import subprocess

import pytest
from guest import Relay

HOST, GUEST = "10.0.2.2", "10.0.2.15"
SIZE = 1_500_000
# Serves SIZE pseudo-random bytes, or takes a stream and tells its hash, once.
PEER = """
import socket, hashlib, random, sys
data = random.Random(7).randbytes(%d)
s = socket.create_server(('10.0.2.2', 9000))
s.settimeout(100)
print('ready', flush=True)
c = s.accept()[0]
c.settimeout(100)
if sys.argv[1] == 'serve':
    c.sendall(data)
    c.shutdown(socket.SHUT_WR)
    c.recv(1)
else:
    h = hashlib.md5()
    n = 0
    while part := c.recv(65536):
        h.update(part)
        n += len(part)
    print(n, h.hexdigest(), flush=True)
""" % SIZE

WIRES = {
    "loss": dict(loss=3),
    "reorder": dict(reorder=20, late=8),
    "duplicate": dict(duplicate=10),
    "corrupt": dict(corrupt=2),
    "delay": dict(delay=60),
    "narrow": dict(rate=8, queue=30000, delay=10),
    "all": dict(loss=2, reorder=5, duplicate=2, corrupt=1, delay=10),
}


@pytest.fixture
def guest(machine, wire):
    g = machine(netns=wire)
    g.sh("modprobe tcp")
    return g


def peer(wire, what):
    proc = subprocess.Popen([*wire.prefix, "/usr/bin/python3", "-c", PEER, what], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, text=True)
    assert proc.stdout.readline() == "ready\n"
    return proc


def end(proc):
    proc.kill()
    proc.wait()
    proc.stdout.close()


@pytest.mark.parametrize("kind", WIRES)
def test_every_byte_comes_in(guest, wire, kind):
    import random
    expected = hashlib.md5(random.Random(7).randbytes(SIZE)).hexdigest()
    with Relay(wire, seed=3, **WIRES[kind]):
        proc = peer(wire, "serve")
        try:
            assert expected in guest.sh(f"nc {HOST} 9000 </dev/null | md5sum", 120)
        finally:
            end(proc)


@pytest.mark.parametrize("kind", WIRES)
def test_every_byte_goes_out(guest, wire, kind):
    guest.sh(f"[ -e /tmp/stream ] || dd if=/dev/urandom of=/tmp/stream bs=1000 count={SIZE // 1000} 2>/dev/null")
    expected = guest.sh("md5sum < /tmp/stream").split()[0]
    with Relay(wire, seed=4, **WIRES[kind]):
        proc = peer(wire, "take")
        try:
            guest.sh(f"nc {HOST} 9000 < /tmp/stream", 120)
            assert proc.stdout.readline().split() == [str(SIZE), expected]
        finally:
            end(proc)
