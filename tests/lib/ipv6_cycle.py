# SPDX-License-Identifier: MIT
"""ipv6_cycle - `rmmod ipv6 && insmod ipv6.ko` under an IPv4 iperf3 stream. All the while pings come over IPv6, and
the guest has a TCP listener, a UDP socket and a group member of AF_INET6, so that the module is in use as it leaves."""
import json
import re
import shlex
import subprocess
import time

import debian
import net6
from modules import FOLDER, memory

GUEST4 = "10.0.2.15"
GROUP = "ff05::4:1"
BATCH = 50
# In hundredths of a second: the whole of it and the longest rmmod.
CYCLES = """now() {{ read t _ < /proc/uptime; t=${{t%.*}}${{t#*.}}; }}
i=0 most=0; now; began=$t
while [ $i -lt {rounds} ]; do
 now; a=$t; rmmod ipv6 || break; now; [ $((t - a)) -gt $most ] && most=$((t - a))
 insmod {folder}/ipv6.ko || break; i=$((i + 1))
done; now; echo $i rounds, $((t - began)) $most
"""
PROGRAMS = (f"socat TCP6-LISTEN:7001,fork SYSTEM:'echo over TCP' & socat -u UDP6-RECV:7002 CREATE:/tmp/udp & "
            f"socat -u UDP6-RECV:7003,ipv6-join-group=[{GROUP}]:eth0 CREATE:/tmp/group &")


def stream(net, guest, seconds):
    # a server that is through with one client listens anew
    assert net6.wait_for(lambda: ":5201 " in guest.sh("netstat -ltn"), 30)
    return subprocess.Popen([*net.prefix, "iperf3", "-c", GUEST4, "-t", str(seconds), "-i", "1", "-J"], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, text=True)


def rates(proc, seconds):
    """Bits a second of each whole second of a stream that came to its end."""
    out = proc.communicate(timeout=seconds + 60)[0]
    result = json.loads(out)
    assert proc.returncode == 0 and "error" not in result, out[-600:]
    return [i["sum"]["bits_per_second"] for i in result["intervals"]][1:]


def cycles(guest, rounds):
    """So many times out and in: seconds for all, and for the longest rmmod."""
    out = guest.sh(f". /tmp/cycles {rounds}", 600)
    said = re.search(rf"^{rounds} rounds, (\d+) (\d+)$", out, re.M)
    assert said, out + guest.sh("dmesg | tail -n 5")
    return int(said[1]) / 100, int(said[2]) / 100


def mean(numbers):
    return sum(numbers) / len(numbers) if numbers else 0


def said_by(net, program):
    return net.run(f"/usr/bin/python3 -c {shlex.quote('import socket; ' + program)}", 60)[0]


def programs_work(guest, net):
    """The sockets that were open all the time hear what comes, the group's too."""
    assert net6.wait_for(lambda: "over TCP" in said_by(net, f"print(socket.create_connection(('{net6.GUEST}', 7001), 10).recv(99))"), 30)
    for to, port, file in (net6.GUEST, 7002, "udp"), (GROUP, 7003, "group"):
        say = f"socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b'heard', ('{to}', {port}))"
        assert net6.wait_for(lambda: (said_by(net, say), "heard" in guest.sh(f"cat /tmp/{file}; : > /tmp/{file}"))[1], 20), file


def run(start, net, rounds, smp=2, undisturbed_seconds=6):
    """Fails when a connection is lost, an rmmod refused or something left; else what it measured, as text. Undisturbed
    streams and disturbed ones alternate."""
    guest = start(netns=net, extra=debian.extra(), mem=384, smp=smp).login(120).quiet()
    net6.setup(guest, net)
    guest.sh("cat > /tmp/cycles <<'END'\n" + CYCLES.format(rounds="$1", folder=FOLDER) + "END")
    guest.sh(f"iperf3 -4 -s -D; {PROGRAMS}", 60)
    # who makes a socket of AF_INET6 while the module is out has it loaded
    assert net6.wait_for(lambda: all(f":{port} " in guest.sh("netstat -lntu") for port in (7001, 7002, 7003)), 30)
    pings = subprocess.Popen([*net.prefix, "ping", "-6", "-q", "-i", "0.005", net6.GUEST], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    try:
        cycles(guest, 2)
        net6.setup(guest, net)
        programs_work(guest, net)
        before = memory(guest)
        undisturbed, disturbed, done, took, longest = [], [], 0, 0.0, 0.0
        while done < rounds:
            undisturbed += rates(stream(net, guest, undisturbed_seconds), undisturbed_seconds)
            now = min(BATCH, rounds - done)
            seconds = 4 + int(now * 0.3)  # longer than the rounds: the seconds beside these count
            began, beside = time.monotonic(), stream(net, guest, seconds)
            all_of_them, one = cycles(guest, now)
            beside_cycles = int(time.monotonic() - began)
            disturbed += rates(beside, seconds)[:max(beside_cycles - 1, 1)]
            took, longest, done = took + all_of_them, max(longest, one), done + now
    finally:
        pings.terminate()
        pings.wait(5)
    net6.setup(guest, net)
    assert net6.pings(net, net6.GUEST)
    programs_work(guest, net)
    after = net6.wait_for(lambda: (lambda now: settled(before, now) and now)(memory(guest)), 20, 1)
    assert after, (before, memory(guest))
    share = 100 * mean(disturbed) / mean(undisturbed)
    return (f"-smp {smp}: {rounds} times rmmod and insmod in {took:.1f} s, the longest rmmod {1000 * longest:.0f} ms; IPv4 meanwhile "
            f"{mean(disturbed) / 1e6:.0f} Mbit/s, undisturbed {mean(undisturbed) / 1e6:.0f} Mbit/s ({share:.0f} %), no connection lost; "
            f"{before['objects']} objects of the kernel before, {after['objects']} after")


def settled(before, after):
    return (abs(after["objects"] - before["objects"]) < 200 and after["packets"] <= before["packets"] + 20 and
            loose(after) > loose(before) - 512)


def loose(m):
    """KiB that nothing holds: what slab caches keep for a burst of packets is not held."""
    return m["MemFree"] + m["Slab"]
