# SPDX-License-Identifier: MIT
"""ipv6_cycle - `rmmod ipv6 && insmod ipv6.ko` under an IPv4 iperf3 stream and pings over IPv6."""
import json
import subprocess

import debian
import net6
from modules import FOLDER, memory

GUEST4 = "10.0.2.15"


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
    """So many times out and in: how many seconds that took."""
    begin = float(guest.sh("cut -d' ' -f1 /proc/uptime"))
    out, status = guest.run(f"i=0; while [ $i -lt {rounds} ]; do rmmod ipv6 && insmod {FOLDER}/ipv6.ko || break; i=$((i+1)); done; echo $i rounds; true", 600)
    assert f"{rounds} rounds" in out, out + guest.sh("dmesg | tail -n 5")
    return float(guest.sh("cut -d' ' -f1 /proc/uptime")) - begin


def mean(numbers):
    return sum(numbers) / len(numbers) if numbers else 0


def run(start, net, rounds):
    """Fails when a connection is lost, an rmmod refused or something left; else what it measured, as text. Pings over
    IPv6 run all the time, so that the module is busy as it leaves."""
    guest = start(netns=net, extra=debian.extra(), mem=384).login(120).quiet()
    net6.setup(guest, net)
    guest.sh("iperf3 -4 -s -D", 60)  # with AF_INET6 it would load the module
    pings = subprocess.Popen([*net.prefix, "ping", "-6", "-q", "-i", "0.005", net6.GUEST], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    try:
        cycles(guest, 2)
        net6.setup(guest, net)
        before = memory(guest)
        undisturbed = rates(stream(net, guest, 6), 6)
        disturbed, done, took = [], 0, 0.0
        while done < rounds:  # a stream ends before the rounds beside it: so it has been disturbed all the time
            now = min(50, rounds - done)
            seconds = max(3, int(now * 0.3))
            beside = stream(net, guest, seconds)
            took += cycles(guest, now)
            disturbed += rates(beside, seconds)
            done += now
    finally:
        pings.terminate()
        pings.wait(5)
    guest.sh("sleep 2")
    net6.setup(guest, net)
    assert net6.pings(net, net6.GUEST)
    after = memory(guest)
    assert abs(after["objects"] - before["objects"]) < 200 and after["packets"] <= before["packets"] + 20, (before, after)
    share = 100 * mean(disturbed) / mean(undisturbed)
    return (f"{rounds} times rmmod and insmod in {took:.1f} s: IPv4 {mean(disturbed) / 1e6:.0f} Mbit/s, undisturbed {mean(undisturbed) / 1e6:.0f} Mbit/s "
            f"({share:.0f} %), no connection lost")
