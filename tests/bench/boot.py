# SPDX-License-Identifier: MIT
"""boot - how long a guest takes from QEMU's start to its shell and to the first ping reply, how much memory it touches,
and how fast it answers pings."""
import os
import re
import socket
import struct
import time

from guest import PROMPT, Guest, GuestError, Netns
from guests import NICS, linux_iso, weft_iso

MEMORY = 256
CHAIN = ["ip", "ethernet", "e1000", "ipv4", "icmp"]


def echo_until_reply(netns, limit):
    """Seconds until 10.0.2.15 answers an echo request sent every 5 ms from inside the namespace; None: never."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        with open(f"/run/netns/{netns.name}") as ns:
            import ctypes
            ctypes.CDLL(None).setns(ns.fileno(), 0)
        s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        s.settimeout(0.005)
        end = time.monotonic() + limit
        sequence = 0
        while time.monotonic() < end:
            sequence = sequence + 1 & 0xffff
            body = struct.pack("!BBHHH", 8, 0, 0, os.getpid() & 0xffff, sequence) + bytes(8)
            total = sum(struct.unpack("!8H", body))
            total = (total >> 16) + (total & 0xffff)
            body = body[:2] + struct.pack("!H", ~total & 0xffff) + body[4:]
            try:
                s.sendto(body, ("10.0.2.15", 0))
                packet, sender = s.recvfrom(2048)
                if sender[0] == "10.0.2.15" and packet[20] == 0:
                    os.write(writer, struct.pack("d", time.monotonic()))
                    os._exit(0)
            except OSError:
                time.sleep(0.002)
        os._exit(1)
    os.close(writer)
    data = os.read(reader, 8)
    os.close(reader)
    os.waitpid(child, 0)
    return struct.unpack("d", data)[0] if data else None


def touched_mib(pid):
    """Resident part of QEMU's mapping of the guest's memory."""
    best = 0
    with open(f"/proc/{pid}/smaps") as f:
        size = 0
        for line in f:
            field, _, rest = line.partition(":")
            if field == "Size":
                size = int(rest.split()[0])
            elif field == "Rss" and size == MEMORY * 1024:
                best = max(best, int(rest.split()[0]))
    return best / 1024


def one_round(name, iso, nic, cpu, machine, results):
    netns = Netns()
    guest = None
    try:
        begin = time.monotonic()
        guest = Guest(iso, nic=NICS[nic], smp=1, mem=MEMORY, netns=netns, cpu=cpu, machine=machine)
        first = echo_until_reply(netns, 60)
        guest.login()
        if first:
            results.setdefault((name, "start to first ping reply, s"), []).append(first - begin)
        time.sleep(1)
        results.setdefault((name, "guest memory touched, MiB"), []).append(touched_mib(guest.proc.pid))
        out, _ = netns.run("ping -q -c 100 -i 0.02 10.0.2.15")
        if found := re.search(r"= [\d.]+/([\d.]+)/", out):
            results.setdefault((name, "ping round trip at 50/s, us"), []).append(float(found[1]) * 1000)
        out, _ = netns.run("ping -q -f -c 1000 10.0.2.15")
        if found := re.search(r"= [\d.]+/([\d.]+)/", out):
            results.setdefault((name, "ping round trip, flood, us"), []).append(float(found[1]) * 1000)
        if found := re.search(r"Mem:\s+\d+\s+(\d+)", guest.sh("free -k")):
            results.setdefault((name, "memory used by free, MiB"), []).append(int(found[1]) / 1024)
        if name.startswith("weft"):
            if found := re.search(r"user space after (\d+) ms", guest.sh("dmesg")):
                results.setdefault((name, "kernel entry to init, ms"), []).append(int(found[1]))
    finally:
        if guest:
            guest.stop()
        netns.close()


def shell_time(name, iso, nic, cpu, machine, results):
    """QEMU's start to the shell's prompt, without anybody sending pings."""
    begin = time.monotonic()
    guest = Guest(iso, nic=NICS[nic], smp=1, mem=MEMORY, cpu=cpu, machine=machine)
    try:
        guest.expect(PROMPT, 60)
        results.setdefault((name, "start to shell, s"), []).append(time.monotonic() - begin)
    finally:
        guest.stop()


def chain_time(iso, nic, cpu, machine, results):
    """The whole stack loaded by hand: the kernel log's clock before and after five insmods."""
    guest = Guest(iso, nic=NICS[nic], smp=1, mem=MEMORY, cpu=cpu, machine=machine)
    try:
        guest.login()
        commands = "; ".join(f"insmod {m}.ko" for m in CHAIN)
        guest.sh(f"cd /lib/modules/$(uname -r); echo chain >/dev/kmsg; {commands}; echo chain >/dev/kmsg")
        times = re.findall(r"([\d.]+)\].? chain", guest.sh("dmesg | sed 's/^/log /'"))
        results.setdefault((f"weft {nic}", "insmod of the whole chain, ms"), []).append(
            (float(times[1]) - float(times[0])) * 1000)
    finally:
        guest.stop()


def rounds(n, nics, cpu, machine, with_linux, progress):
    """(guest, metric) -> values; guests interleaved."""
    results = {}
    manual = weft_iso(entry="manual")
    for i in range(n):
        for nic in nics:
            for kind, iso in [("weft", weft_iso())] + ([("linux", linux_iso(nic))] if with_linux else []):
                name = f"{kind} {nic}"
                progress(f"round {i + 1} of {n}: {name}")
                try:
                    one_round(name, iso, nic, cpu, machine, results)
                    shell_time(name, iso, nic, cpu, machine, results)
                except GuestError as e:
                    print(f"{name}: {e}", flush=True)
            chain_time(manual, nic, cpu, machine, results)
    return results
