# SPDX-License-Identifier: MIT
"""net6 - IPv6 between a test's namespace and its guest: addresses, what the guest says of itself, and the head of
scapy programs."""
import contextlib
import ipaddress
import re
import signal
import subprocess
import time

from guest import GuestError, wait_for

PREFIX = "2001:db8:2"
HOST, GUEST = f"{PREFIX}::2", f"{PREFIX}::15"
FLAGS = {"deprecated": 0x20, "tentative": 0x40, "permanent": 0x80, "temporary": 0x01, "dadfailed": 0x08}


def addresses(guest, interface="eth0"):
    """{address: (prefix length, scope, flags)} as /proc/net/if_inet6 has them."""
    found = {}
    out, status = guest.run("cat /proc/net/if_inet6 2>/dev/null")
    for word, plen, scope, flags, name in re.findall(r"^([0-9a-f]{32}) \w+ (\w+) (\w+) (\w+) +(\S+)$", out, re.M):
        if name == interface:
            found[compress(word)] = int(plen, 16), int(scope, 16), int(flags, 16)
    return found


def compress(word):
    return str(ipaddress.IPv6Address(int(word, 16)))


def link_local(guest):
    return next((a for a, (_, scope, flags) in addresses(guest).items() if scope == 0x20 and not flags & 0x48), None)


def ready(guest, address):
    known = addresses(guest).get(address)
    return bool(known) and not known[2] & (FLAGS["tentative"] | FLAGS["dadfailed"])


def load(guest, more="true"):
    """The module is there and eth0 has a link-local address that may be used: that address. more: what to do while
    it is being checked."""
    guest.sh(f"lsmod | grep -q '^ipv6 ' || modprobe ipv6; ifconfig eth0 up; {more}", 30)
    found = wait_for(lambda: link_local(guest), 60)
    if not found:
        raise GuestError("no link-local address:\n" + guest.run("cat /proc/net/if_inet6; dmesg | tail")[0])
    return found


def host_address(net, address=HOST, plen=64):
    """The namespace has this address, once."""
    net.run(f"ip -6 addr replace {address}/{plen} dev {net.tap} nodad")


def host_link_local(net):
    def look():
        out, _ = net.run(f"ip -6 addr show dev {net.tap} scope link -tentative")
        found = re.search(r"inet6 (fe80::[0-9a-f:]+)/", out)
        return found and found[1]
    return wait_for(look, 30)


def setup(guest, net):
    """Both ends have link-local addresses and the ones above, which have been checked."""
    host_address(net)
    guest_ll = load(guest, f"ip -6 addr show dev eth0 | grep -q ' {GUEST}/' || ip -6 addr add {GUEST}/64 dev eth0")
    assert wait_for(lambda: ready(guest, GUEST), 60), guest.sh("cat /proc/net/if_inet6")
    return guest_ll


def pings(net, address, count=2, timeout=3, more=""):
    """Does ping -6 from the namespace come back? Scope ids are added."""
    if address.startswith(("fe80:", "ff")) and "%" not in address:
        address += f"%{net.tap}"
    return wait_for(lambda: net.run(f"ping -6 -c {count} -i 0.2 -W {timeout} {more} {address}", 60)[1] == 0, 20)


@contextlib.contextmanager
def daemon(net, command, started=None, seconds=20):
    """A program that runs in the namespace during the block; started: text that it says first."""
    proc = subprocess.Popen([*net.prefix, *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)
    try:
        said = ""
        end = time.monotonic() + seconds
        while started and started not in said and time.monotonic() < end:
            line = proc.stdout.readline()
            assert line, f"{command[0]} ended: {said}"
            said += line
        yield proc
    finally:
        if proc.poll() is None:
            proc.send_signal(signal.SIGTERM)
            try:
                proc.wait(5)
            except subprocess.TimeoutExpired:
                proc.kill()
                proc.wait()
        proc.stdout.close()


# Shared by scapy programs. GLL and HLL are the guest's and the host's link-local addresses.
HEAD = """
import struct, random
G, H, GM, HM = "2001:db8:2::15", "2001:db8:2::2", "52:54:00:12:34:56", "52:54:00:aa:00:02"
E = Ether(src=HM, dst=GM)
def M(group):
    a = socket.inet_pton(socket.AF_INET6, group)
    return Ether(src=HM, dst="33:33:%02x:%02x:%02x:%02x" % tuple(a[12:]))
def send(pkts, times=1):
    sendp([bytes(p) for p in (pkts if isinstance(pkts, list) else [pkts])] * times, iface=tap)
def answers(pkts, seconds=2, want=lambda p: True, count=0):
    s = AsyncSniffer(iface=tap, lfilter=lambda p: p.haslayer(Ether) and p[Ether].src == GM and IPv6 in p and want(p),
                     started_callback=lambda: send(pkts), count=count)
    s.start(); s.join(timeout=seconds)
    return list(s.stop() if s.running else s.results)
def icmp(p):
    b, nh = bytes(p[IPv6].payload), p[IPv6].nh
    while nh in (0, 43, 60):
        nh, b = b[0], b[8 + 8 * b[1]:]
    return (b[0], b[1], struct.unpack("!I", b[4:8])[0]) if nh == 58 and len(b) >= 8 else (-1, 0, 0)
def is_answer(p):
    return icmp(p)[0] in (1, 2, 3, 4, 129)
def show(got):
    for p in got:
        t, c, rest = icmp(p)
        print("icmp", t, c, rest if t < 128 else "", p[IPv6].dst)
def ask(pkts, count=0):
    # prints so many answers as they come; 0: there is to be none, which is waited for a little
    show(answers(pkts, 15 if count else 0.7, is_answer, count))
def echo(n=32, id=9, seq=1, src=None, dst=None):
    b = struct.pack("!BBHHH", 128, 0, 0, id, seq) + bytes(i & 255 for i in range(n))
    return b[:2] + struct.pack("!H", in6_chksum(58, IPv6(src=src or H, dst=dst or G), b)) + b[4:]
def raw6(nh, payload, **kw):
    return E/IPv6(src=kw.pop("src", H), dst=kw.pop("dst", G), nh=nh, **kw)/Raw(payload)
def frag(data, off, more, id=77, nh=58, **kw):
    return raw6(44, struct.pack("!BBHI", nh, 0, off | more, id) + data, **kw)
def pieces(data, size):
    return [(data[i:i + size], i, i + size < len(data)) for i in range(0, len(data), size)]
def opts(b, nh=58):
    n = (len(b) + 2 + 7) // 8 * 8
    pad = n - 2 - len(b)
    b += b"" if not pad else b"\\0" if pad == 1 else bytes([1, pad - 2]) + bytes(pad - 2)
    return bytes([nh, n // 8 - 1]) + b
def nd(src, dst, body, type, code=0, hlim=255, word=0, mac=None, bad=False):
    b = struct.pack("!BBHI", type, code, 0, word) + body
    ip = IPv6(src=src, dst=dst, hlim=hlim, nh=58)
    b = b[:2] + struct.pack("!H", in6_chksum(58, ip, b) ^ bad) + b[4:]
    return (mac or (M(dst) if dst.startswith("ff") else E))/ip/Raw(b)
def a6(a): return socket.inet_pton(socket.AF_INET6, a)
def ll(type, mac=HM): return bytes([type, 1]) + bytes.fromhex(mac.replace(":", ""))
def prefix(p, valid=3600, preferred=1800, flags=0xc0, plen=64):
    return bytes([3, 4, plen, flags]) + struct.pack("!III", valid, preferred, 0) + a6(p)
def ra(options=b"", src=None, lifetime=1800, hops=64, flags=0, **kw):
    return nd(src or HLL, "ff02::1", struct.pack("!II", 0, 0) + options, 134, word=hops << 24 | flags << 16 | lifetime, **kw)
def solicited(a): return "ff02::1:ff%02x:%02x%02x" % tuple(a6(a)[13:])
"""


def head(guest_ll, host_ll):
    return HEAD + f"\nGLL, HLL = {guest_ll!r}, {host_ll!r}\n"
