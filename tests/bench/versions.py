# SPDX-License-Identifier: MIT
"""versions - TCP and UDP over IPv6 beside IPv4: one guest, each measurement over one version and then the other, so that
both see the same machine."""
import statistics

import net6
from guest import Guest, GuestError, Netns
from guests import NICS, weft_iso
from net import iperf

MEMORY = 256
METRICS = [("TCP in", "Mbit/s", ""), ("TCP out", "Mbit/s", "-R"), ("TCP in, 8 connections", "Mbit/s", "-P 8"),
           ("UDP in, 64 bytes", "kpps", "-u -b 0 -l 64"), ("UDP in, 1200 bytes", "kpps", "-u -b 0 -l 1200"),
           ("UDP out, 64 bytes", "kpps", "-u -b 0 -l 64 -R"), ("UDP out, 1200 bytes", "kpps", "-u -b 0 -l 1200 -R")]


def measure(ns, args, seconds, six):
    end = iperf(ns, args, seconds, net6.GUEST if six else "10.0.2.15")
    if "-u" not in args:
        return end["sum_received"]["bits_per_second"] / 1e6
    return (end["sum"]["packets"] - end["sum"]["lost_packets"]) / end["sum"]["seconds"] / 1e3


def one_guest(nic, machine, seconds, results):
    ns, guest = Netns(), None
    try:
        guest = Guest(weft_iso(extra=True), nic=NICS[nic], smp=1, mem=MEMORY, netns=ns, cpu="max", machine=machine)
        guest.login(90).quiet()
        net6.setup(guest, ns)
        guest.sh("ifconfig eth0 10.0.2.15 netmask 255.255.255.0; iperf3 -s -D; sleep 1")
        for turn in range(2):  # each version comes first once
            for name, unit, args in METRICS:
                for six in ((False, True), (True, False))[turn]:
                    results.setdefault((nic, name, six), []).append(measure(ns, args, seconds, six))
    finally:
        if guest:
            guest.stop()
        ns.close()


def rounds(n, nics, machine, seconds, progress):
    results = {}
    for i in range(n):
        for nic in nics:
            progress(f"round {i + 1} of {n}: {nic}, IPv4 and IPv6")
            try:
                one_guest(nic, machine, seconds, results)
            except (GuestError, KeyError) as e:
                print(f"{nic}: {str(e)[:200]}", flush=True)
    return results


def table(results, nics):
    lines = [f"{'':34}{'IPv4':>10}{'IPv6':>10}{'IPv6/IPv4':>11}"]
    for nic in nics:
        for name, unit, _ in METRICS:
            four, six = (statistics.median(results.get((nic, name, v), [0])) for v in (False, True))
            lines.append(f"{nic + ': ' + name + ', ' + unit:34}{four:10.1f}{six:10.1f}" + (f"{six / four:11.2f}" if four else ""))
    return "\n".join(lines)
