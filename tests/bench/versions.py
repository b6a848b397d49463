# SPDX-License-Identifier: MIT
"""versions - TCP and UDP over IPv6 beside IPv4: one guest, each measurement over one version and right after that over
the other, taking turns in who is first, so that both see the same machine. What is compared is each pair."""
import re
import statistics

import net6
from guest import Guest, GuestError, Netns
from guests import NICS, weft_iso
from net import iperf

MEMORY = 256
TURNS = 4
METRICS = [("TCP in", "Mbit/s", ""), ("TCP in, 8 connections", "Mbit/s", "-P 8"), ("TCP out", "Mbit/s", "-R"),
           ("TCP out, 8 connections", "Mbit/s", "-R -P 8"),
           ("UDP in, 64 bytes", "kpps", "-u -b 0 -l 64"), ("UDP in, 1200 bytes", "kpps", "-u -b 0 -l 1200"),
           ("UDP out, 64 bytes", "kpps", "-u -b 0 -l 64 -R"), ("UDP out, 1200 bytes", "kpps", "-u -b 0 -l 1200 -R")]
LOOPBACK = ("TCP to itself", "Mbit/s", None)


def measure(guest, ns, args, seconds, six):
    if args is None:
        said = guest.sh(f"iperf3 -f m -t {seconds} -c {'::1' if six else '127.0.0.1'}", seconds + 30)
        return float(re.search(r"([\d.]+) Mbits/sec +receiver", said)[1])
    end = iperf(ns, args, seconds, net6.GUEST if six else "10.0.2.15")
    if "-u" not in args:
        return end["sum_received"]["bits_per_second"] / 1e6
    return (end["sum"]["packets"] - end["sum"]["lost_packets"]) / end["sum"]["seconds"] / 1e3


def pair(guest, ns, metric, seconds, six_first):
    """(over IPv4, over IPv6)"""
    found = {}
    for six in (six_first, not six_first):
        found[six] = measure(guest, ns, metric[2], seconds, six)
    return found[False], found[True]


def one_guest(nic, machine, smp, seconds, metrics, results):
    ns, guest = Netns(), None
    try:
        guest = Guest(weft_iso(extra=True), nic=NICS[nic], smp=smp, mem=MEMORY, netns=ns, cpu="max", machine=machine)
        guest.login(90).quiet()
        net6.setup(guest, ns)
        guest.sh("ifconfig eth0 10.0.2.15 netmask 255.255.255.0; iperf3 -s -D; sleep 1")
        for turn in range(TURNS):
            for metric in metrics:
                try:
                    values = pair(guest, ns, metric, seconds, turn % 2 == 1)
                    results.setdefault((nic, metric[0]), []).append(values)
                except (GuestError, KeyError, TypeError) as e:
                    print(f"{nic}: {metric[0]}: {str(e)[:200]}", flush=True)
    finally:
        if guest:
            guest.stop()
        ns.close()


def rounds(n, nics, machine, smp, seconds, progress):
    """(NIC, measurement) -> pairs; what needs no NIC is measured beside the first one."""
    results = {}
    for i in range(n):
        for nic in nics:
            progress(f"round {i + 1} of {n}: {nic}, IPv4 and IPv6")
            try:
                one_guest(nic, machine, smp, seconds, METRICS + [LOOPBACK] * (nic == nics[0]), results)
            except GuestError as e:
                print(f"{nic}: {str(e)[:200]}", flush=True)
    return results


def table(results, nics):
    """Medians; the last column is the median of the pairs' ratios."""
    lines = [f"{'':42}{'IPv4':>10}{'IPv6':>10}{'IPv6/IPv4':>11}"]
    for nic in nics:
        for name, unit, _ in METRICS + [LOOPBACK]:
            pairs = results.get((nic, name))
            if pairs:
                four, six = (statistics.median(column) for column in zip(*pairs))
                ratio = statistics.median(b / a for a, b in pairs)
                lines.append(f"{f'{nic}: {name}, {unit}':42}{four:10.1f}{six:10.1f}{ratio:11.2f}")
    return "\n".join(lines)
