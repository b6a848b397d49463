# SPDX-License-Identifier: MIT
"""The virtio card over a TAP with virtio headers: TCP goes in frames of up to 64 KiB both ways, whole and summed by
nobody; and the driver leaves and comes back under it."""
import re
import subprocess
import time

import pytest

HOST, GUEST = "10.0.2.2", "10.0.2.15"
SIZE = 20_000_000
# Serves SIZE bytes once and tells their hash.
PEER = """
import socket, hashlib
s = socket.create_server(('10.0.2.2', 9000))
s.settimeout(60)
print('ready', flush=True)
c = s.accept()[0]
c.settimeout(60)
data = bytes(range(256)) * (%d // 256)
c.sendall(data)
c.shutdown(socket.SHUT_WR)
c.recv(1)
print(hashlib.md5(data).hexdigest(), flush=True)
""" % SIZE


@pytest.fixture
def guest(machine, wire):
    return machine(netns=wire, nic="virtio-net-pci")


class Capture:
    """The longest TCP payload from `source` that the TAP carried while a block ran."""

    def __init__(self, wire, source):
        self.command = [*wire.prefix, "tcpdump", "-i", wire.tap, "-nn", "-l", "-s", "100", f"tcp and src {source}"]

    def __enter__(self):
        self.proc = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE, text=True)
        while "listening" not in self.proc.stderr.readline():
            pass
        return self

    def __exit__(self, *args):
        time.sleep(0.5)
        self.proc.terminate()
        out, _ = self.proc.communicate()
        self.longest = max((int(n) for n in re.findall(r"length (\d+)", out)), default=0)


def test_large_frames_come_in(guest, wire):
    proc = subprocess.Popen([*wire.prefix, "/usr/bin/python3", "-c", PEER], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, text=True)
    try:
        assert proc.stdout.readline() == "ready\n"
        with Capture(wire, HOST) as capture:
            out = guest.sh(f"nc {HOST} 9000 </dev/null | md5sum", 60)
        assert proc.stdout.readline().strip() in out
    finally:
        proc.kill()
        proc.wait()
        proc.stdout.close()
    assert capture.longest > 20000


def test_large_frames_go_out(guest, wire):
    guest.sh("mkdir -p /tmp/www; dd if=/dev/urandom of=/tmp/www/stream bs=100000 count=200 2>/dev/null; "
             "httpd -p 8081 -h /tmp/www")
    with Capture(wire, GUEST) as capture:
        out, _ = wire.run(f"curl -s -m 60 http://{GUEST}:8081/stream | md5sum", 70)
    assert out == guest.sh("md5sum < /tmp/www/stream")
    assert capture.longest > 60000


def test_driver_leaves_and_comes_back(guest, wire):
    for _ in range(5):
        guest.sh("rmmod virtio_net; modprobe virtio_net; ifconfig eth0 up")
        out, status = wire.run("ping -c 20 -i 0.01 -s 1400 -W 2 " + GUEST)
        assert status == 0 and " 0% packet loss" in out, out


def test_filters_and_link(guest, wire):
    wire.scapy("sendp(Ether(dst='52:54:00:99:99:99')/IP(src='10.0.2.2', dst='10.0.2.15')/ICMP(), iface=tap, count=5)")
    guest.sh("ifconfig eth0 promisc; ifconfig eth0 -promisc; ifconfig eth0 allmulti; ifconfig eth0 -allmulti")
    guest.qmp("set_link", name="net0", up=False)
    guest.until("[ $(cat /sys/class/net/eth0/carrier) = 0 ]")
    guest.qmp("set_link", name="net0", up=True)
    guest.until("[ $(cat /sys/class/net/eth0/carrier) = 1 ]")
    guest.sh(f"ping -c 2 {HOST}", 15)
    assert "could not be set" not in guest.sh("dmesg")
