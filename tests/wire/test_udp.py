# SPDX-License-Identifier: MIT
"""UDP from the other end of the wire: every size, closed ports, malformed datagrams, groups, the programs that
live on it, and the module coming and going."""
import re
import subprocess

import programs
import pytest

HOST, GUEST = "10.0.2.2", "10.0.2.15"
ECHO = "/test/udpsock echo 7 & until grep -q ':0007 00000000:0000' /proc/net/udp; do sleep 0.1; done"


@pytest.fixture
def guest(machine, wire):
    return machine(netns=wire, extra=programs.build())


def python(net, program, timeout=60):
    """Runs a program on the peer with a bound socket `s`; what it printed."""
    head = ("import socket, random, struct, time\n"
            "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
            f"s.bind(('{HOST}', 0))\ns.settimeout(2)\n")
    done = subprocess.run([*net.prefix, "/usr/bin/python3", "-c", head + program], timeout=timeout,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Server:
    """A Python program on the peer for as long as a block runs; it says `ready` first."""

    def __init__(self, net, program):
        self.command = [*net.prefix, "/usr/bin/python3", "-uc", program]

    def __enter__(self):
        self.proc = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        assert self.proc.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *args):
        self.proc.kill()
        self.proc.wait()
        self.proc.stdout.close()


def counter(guest, name, protocol="Udp"):
    names, values = (line.split() for line in guest.sh("cat /proc/net/snmp").splitlines()
                     if line.startswith(f"{protocol}:"))
    return int(values[names.index(name)])


def alive(guest, wire):
    """The stack still serves."""
    guest.sh(ECHO)
    assert python(wire, f"s.sendto(b'alive', ('{GUEST}', 7)); print(s.recv(99))") == "b'alive'\n"


@pytest.mark.parametrize("name", ["udpsock", "udpwake", "udpgso"])
def test_sockets_keep_their_promises(guest, name):
    out, status = guest.run(f"/test/{name}", 150)
    assert status == 0, out


def test_echo_of_every_size(guest, wire):
    guest.sh(ECHO)
    said = python(wire, f"""
sizes = [*range(65), 100, 511, 512, 1000, 1471, 1472, 1473, 1480, 1481, 2048, 2952, 2953, 4096, 8192, 9000, 16384,
         32768, 50000, 65000, 65506, 65507]
bad = []
for n in sizes:
    data = random.randbytes(n)
    for _ in range(3):
        s.sendto(data, ('{GUEST}', 7))
        try:
            got, who = s.recvfrom(70000)
        except TimeoutError:
            continue
        if got != data or who != ('{GUEST}', 7):
            bad.append(n)
        break
    else:
        bad.append(n)
print(bad)
""")
    assert said == "[]\n"


def test_source_port_zero_and_no_checksum(guest, wire):
    """RFC 768: both are the sender's choice; a checksum of zero is none."""
    guest.sh(ECHO)
    said = wire.scapy(f"""
r = srp1(Ether(dst="{wire.guest_mac}") / IP(dst="{GUEST}") / UDP(sport=4000, dport=7, chksum=0) / b"unsummed",
         timeout=2, iface=tap)
print(bytes(r[UDP].payload), r[UDP].chksum != 0)
raw = bytes(r[IP])
del r[IP].chksum, r[UDP].chksum
print(raw == bytes(IP(bytes(r[IP]))))
""")
    assert said.splitlines()[0].startswith("b'unsummed") and said.endswith("True\nTrue\n"), said


def test_malformed_datagrams_are_counted(guest, wire):
    guest.sh(ECHO)
    before = {n: counter(guest, n) for n in ("InErrors", "InCsumErrors", "InDatagrams")}
    said = wire.scapy(f"""
def send(u):
    r = srp1(Ether(dst="{wire.guest_mac}") / IP(dst="{GUEST}", proto=17) / u, timeout=0.4, iface=tap)
    print("silence" if r is None else r.summary())
send(UDP(sport=4000, dport=7, len=0) / b"data")
send(UDP(sport=4000, dport=7, len=7) / b"data")
send(UDP(sport=4000, dport=7, len=13) / b"data")
send(UDP(sport=4000, dport=7, len=65535) / b"data")
send(b"\\x10\\x00\\x00\\x07\\x00\\x08\\x00")
send(b"")
send(UDP(sport=4000, dport=7, chksum=0x1234) / b"data")
send(UDP(sport=4000, dport=6999, chksum=0x1234) / b"data")
""")
    assert said.split() == ["silence"] * 8, said
    assert counter(guest, "InErrors") == before["InErrors"] + 8
    assert counter(guest, "InCsumErrors") == before["InCsumErrors"] + 2
    assert counter(guest, "InDatagrams") == before["InDatagrams"]
    alive(guest, wire)


def test_padding_behind_the_datagram_is_cut(guest, wire):
    """An IP payload longer than the UDP length: the rest is nobody's."""
    guest.sh(ECHO)
    said = wire.scapy(f"""
u = bytes(IP(src="{HOST}", dst="{GUEST}") / UDP(sport=4000, dport=7) / b"four")[20:]
p = bytes(Ether(dst="{wire.guest_mac}") / IP(src="{HOST}", dst="{GUEST}", proto=17) / (u + b"trailer"))
r = srp1(Ether(p), timeout=2, iface=tap)
print(r[UDP].len, bytes(r[UDP].payload)[:4])
""")
    assert said == "12 b'four'\n"


def test_closed_port_is_unreachable(guest, wire):
    said = wire.scapy(f"""
p = IP(src="{HOST}", dst="{GUEST}", id=77) / UDP(sport=4001, dport=6999) / b"anybody?"
r = srp1(Ether(dst="{wire.guest_mac}") / p, timeout=2, iface=tap)
print(r[ICMP].type, r[ICMP].code, bytes(r[ICMP].payload)[:36] == bytes(p))
for dst, mac in (("10.0.2.255", "ff:ff:ff:ff:ff:ff"), ("255.255.255.255", "ff:ff:ff:ff:ff:ff"),
                 ("224.0.0.1", "01:00:5e:00:00:01")):
    r = srp1(Ether(dst=mac) / IP(src="{HOST}", dst=dst) / UDP(sport=4001, dport=6999) / b"anybody?", timeout=0.4,
             iface=tap, filter="icmp")
    print("silence" if r is None else r.summary())
""")
    assert said.splitlines() == ["3 3 True", "silence", "silence", "silence"]


def test_flood_of_closed_ports_is_limited(guest, wire):
    """RFC 1812 4.3.2.8: answers stay few however many ask."""
    said = wire.scapy(f"""
import threading, socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sniffer = AsyncSniffer(iface=tap, filter="icmp", store=True)
sniffer.start()
time.sleep(0.3)
for n in range(20000):
    s.sendto(b"flood", ("{GUEST}", 1024 + n % 30000))
time.sleep(1)
print(len(sniffer.stop()))
""", 90)
    assert 1 <= int(said) <= 40, said
    alive(guest, wire)


def test_flood_of_an_open_port(guest, wire):
    guest.sh(ECHO)
    out = python(wire, f"""
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
for n in range(20000):
    s.sendto(b"x" * (n % 1400), ("{GUEST}", 7))
s.settimeout(1)
got = 0
try:
    while True:
        s.recv(2000)
        got += 1
except TimeoutError:
    print(got)
""")
    assert int(out) > 100, out
    alive(guest, wire)


def test_random_datagrams(guest, wire):
    guest.sh(ECHO)
    wire.scapy(f"""
import random
random.seed(1)
head = Ether(dst="{wire.guest_mac}")
packets = []
for n in range(1500):
    u = UDP(sport=random.choice([0, 7, 4000, random.getrandbits(16)]), dport=random.choice([0, 7, random.getrandbits(16)]))
    if n % 3 == 0:
        u.len = random.getrandbits(random.choice([3, 5, 11, 16]))
    if n % 5 == 0:
        u.chksum = random.getrandbits(16)
    ip = IP(src=random.choice(["{HOST}", "{GUEST}", "127.0.0.1", "0.0.0.0", "255.255.255.255", "10.0.2.99"]),
            dst=random.choice(["{GUEST}", "10.0.2.255", "224.0.0.1", "{GUEST}", "{GUEST}"]), proto=17)
    if n % 7 == 0:
        ip.flags, ip.frag = random.choice(["MF", 0]), random.choice([0, 1, 2, 8000])
    packets.append(head / ip / bytes(u) / random.randbytes(random.choice([0, 1, 7, 8, 100, 1400])))
sendp(packets, iface=tap)
""", 90)
    alive(guest, wire)


def test_broadcasts_reach_each_socket(guest, wire):
    guest.sh(ECHO)
    said = python(wire, f"""
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
for to in ("10.0.2.255", "255.255.255.255"):
    s.sendto(b"all", (to, 7))
    print(s.recvfrom(99))
""")
    assert said.splitlines() == [f"(b'all', ('{GUEST}', 7))"] * 2


def test_traceroute(guest, wire):
    wire.run("sysctl -w net.ipv4.icmp_ratelimit=0")
    out = guest.sh(f"traceroute -n -w 2 -m 4 {HOST}", 60)
    assert re.search(rf"^ 1  {HOST}  [\d.]+ ms", out, re.M) and "\n 2 " not in out, out


DNS = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.0.2.2", 53))
print("ready")
while True:
    q, who = s.recvfrom(2000)
    end = q.index(b"\\0", 12) + 5
    a = q[end - 4:end - 2] == b"\\0\\1"
    answer = b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\x3c\\0\\4" + bytes([192, 0, 2, 55]) if a else b""
    s.sendto(q[:2] + b"\\x85\\x80\\0\\1" + bytes([0, a]) + b"\\0\\0\\0\\0" + q[12:end] + answer, who)
"""


def test_nslookup(guest, wire):
    with Server(wire, DNS):
        out = guest.sh(f"nslookup weft.example {HOST}", 30)
    assert "Address: 192.0.2.55" in out, out


def test_nslookup_of_a_server_that_is_not_there(guest):
    """A refused query ends early: the resolver hears of the ICMP error."""
    out, status = guest.run(f"nslookup weft.example {HOST}", 40)
    assert status != 0 and ("refused" in out or "no servers could be reached" in out), out


TFTP = """
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.0.2.2", 69))
data = bytes(i * 31 % 251 for i in range(150000))
print("ready")
while True:
    q, who = s.recvfrom(600)
    t = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    t.bind(("10.0.2.2", 0))
    t.settimeout(5)
    for n in range(1, len(data) // 512 + 2):
        t.sendto(struct.pack("!HH", 3, n) + data[(n - 1) * 512:n * 512], who)
        ack = t.recv(600)
"""


def test_tftp(guest, wire):
    import hashlib
    want = hashlib.md5(bytes(i * 31 % 251 for i in range(150000))).hexdigest()
    with Server(wire, TFTP):
        guest.sh(f"cd /tmp; tftp -g -r file -l file {HOST}; cd /", 60)
    assert guest.sh("md5sum /tmp/file; rm /tmp/file").split()[0] == want


def test_proc_net_udp(guest):
    guest.sh(ECHO)
    lines = guest.sh("cat /proc/net/udp").splitlines()
    assert all(len(line) == 127 for line in lines), lines
    assert re.fullmatch(r"   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   "
                        r"uid  timeout inode ref pointer drops *", lines[0])
    assert re.fullmatch(r" *\d+: 00000000:0007 00000000:0000 07 00000000:00000000 00:00000000 00000000 "
                        r" +0 +0 \d+ 2 [0-9a-f]{16} 0 *", lines[1]), lines[1]
    assert re.search(r"udp +0 +0 0\.0\.0\.0:7 ", guest.sh("netstat -uan"))


def test_local_port_range(guest):
    path = "/proc/sys/net/ipv4/ip_local_port_range"
    assert guest.sh(f"cat {path}") == "32768\t60999\n"
    for wrong in ("0 5", "9 8", "1 65536", "x", "7"):
        assert guest.run(f"echo {wrong} > {path}")[1] != 0
    guest.sh(f"echo 40000 40003 > {path}")
    with_four = guest.run("/test/udpsock many_ports", 30)[0]
    guest.sh(f"echo 32768 60999 > {path}")
    assert "bind_to(fd, LO, 0) == 0 (errno 98)" in with_four, with_four


def test_module_leaves_and_comes_back(guest, wire):
    guest.sh(ECHO)
    out, status = guest.run("rmmod udp", 10)
    assert status != 0 and "lsmod" not in out
    assert re.search(r"udp.*socket.*pid \d+", guest.sh("cat /sys/module/udp/users; dmesg | tail -3")), "no holder named"
    guest.sh("kill %1; wait; rmmod udp", 10)
    assert guest.run("ls /proc/net/udp")[1] != 0
    guest.sh("ifconfig eth0")  # its socket carries ioctls without any transport
    said = wire.scapy(f"""
r = srp1(Ether(dst="{wire.guest_mac}") / IP(src="{HOST}", dst="{GUEST}") / UDP(sport=4001, dport=7), timeout=2, iface=tap)
print(r[ICMP].type, r[ICMP].code)
""")
    assert said == "3 2\n"
    guest.sh("modprobe udp")
    alive(guest, wire)


def test_forced_out_under_traffic(guest, wire):
    guest.sh(ECHO)
    with Server(wire, f"""
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setblocking(False)
print("ready")
while True:
    for n in (0, 100, 1400, 3000):
        try:
            s.sendto(b"x" * n, ("{GUEST}", 7))
        except OSError:
            pass
"""):
        for _ in range(5):
            guest.sh("rmmod -f udp", 10)
            guest.sh("kill -9 $(jobs -p); wait; modprobe udp; " + ECHO, 20)
    alive(guest, wire)
