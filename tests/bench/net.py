# SPDX-License-Identifier: MIT
"""net - network throughput, packet rates, round trips and requests: Debian's iperf3, sockperf and nginx serve inside the
guest, iperf3, sockperf and wrk ask from a network namespace at the other end of its TAP."""
import json
import re
import subprocess
import time

from guest import Guest, GuestError, Netns
from guests import NICS, TUNED, linux_iso, weft_iso

ADDRESS = "10.0.2.15"
MEMORY = 256
SERVERS = ["iperf3 -s -D", "sockperf server --tcp -i 0.0.0.0 -p 7001 >/dev/null 2>&1 &",
           "sockperf server -i 0.0.0.0 -p 7002 >/dev/null 2>&1 &", "nginx -c /etc/bench-nginx.conf"]


def iperf(ns, args, seconds, address=ADDRESS):
    """What iperf3 says at its end. Its server has one client at a time, and for a moment still the last one."""
    for _ in range(5):
        try:
            said = json.loads(ns.run(f"iperf3 -c {address} -t {seconds} -J {args}", seconds + 30)[0])
        except (subprocess.TimeoutExpired, ValueError) as e:
            raise GuestError(f"iperf3 {args}: {str(e)[:200]}") from None
        if "error" not in said:
            return said["end"]
        time.sleep(1)
    raise GuestError(f"iperf3 {args}: {said['error']}")


def tcp(args):
    return lambda ns, s: iperf(ns, args, s)["sum_received"]["bits_per_second"] / 1e6


def udp(args):
    def run(ns, s):
        end = iperf(ns, "-u -b 0 " + args, s)["sum"]
        return (end["packets"] - end["lost_packets"]) / end["seconds"] / 1e3
    return run


def sockperf(args, pattern):
    def run(ns, s):
        out, _ = ns.run(f"sockperf ping-pong -i {ADDRESS} {args} -t {s} -m 64 2>&1", s + 20)
        return float(re.search(pattern, out)[1])
    return run


def wrk(args):
    def run(ns, s):
        out, _ = ns.run(f"wrk -t1 -d{s}s {args} http://{ADDRESS}:8080/page", s + 20)
        if "Non-2xx" in out:
            raise GuestError(out)
        return float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])
    return run


LATENCY = r"percentile 50.000 = *([\d.]+)"
# name, unit, more is better, how
METRICS = [
    ("TCP in, 1 connection", "Mbit/s", True, tcp("")),
    ("TCP in, 8 connections", "Mbit/s", True, tcp("-P 8")),
    ("TCP out, 1 connection", "Mbit/s", True, tcp("-R")),
    ("TCP out, 8 connections", "Mbit/s", True, tcp("-R -P 8")),
    ("UDP in, 64 bytes", "kpps", True, udp("-l 64")),
    ("UDP in, 1400 bytes", "kpps", True, udp("-l 1400")),
    ("UDP out, 64 bytes", "kpps", True, udp("-l 64 -R")),
    ("UDP out, 1400 bytes", "kpps", True, udp("-l 1400 -R")),
    ("TCP half round trip, median", "us", False, sockperf("--tcp -p 7001", LATENCY)),
    ("UDP half round trip, median", "us", False, sockperf("-p 7002", LATENCY)),
    ("HTTP requests, 8 kept connections", "1/s", True, wrk("-c8")),
    ("HTTP connections, 8 at a time", "1/s", True, wrk("-c8 -H 'Connection: close'")),
]
HEADINGS = {name: f"{name}, {unit}" for name, unit, _, _ in METRICS}


def systems(nic, smp, with_linux):
    """name, image, CPU, what QEMU gets besides."""
    found = [("weft", weft_iso(extra=True), "max")]
    if with_linux:
        found.append(("linux tuned", linux_iso(nic, extra=True, append=TUNED), "max,-erms"))
        found.append(("linux", linux_iso(nic, extra=True), "max"))
    return found


def one_guest(name, iso, cpu, nic, smp, machine, seconds, results):
    ns = Netns()
    guest = None
    try:
        guest = Guest(iso, nic=NICS[nic], smp=smp, mem=MEMORY, netns=ns, cpu=cpu, machine=machine)
        guest.login(90)
        guest.run("mkdir -p /var/log/nginx /var/lib/nginx /tmp")
        for command in SERVERS:
            guest.run(command, 20)
        time.sleep(1)
        for metric, _, _, how in METRICS:
            try:
                results.setdefault((name, HEADINGS[metric]), []).append(how(ns, seconds))
            except (GuestError, TypeError, ValueError, KeyError) as e:
                print(f"{name}: {metric}: {str(e)[:200]}", flush=True)
    finally:
        if guest:
            guest.stop()
        ns.close()


def rounds(n, nics, smps, machine, seconds, with_linux, progress):
    """(guest, metric) -> values; guests interleaved."""
    results = {}
    for i in range(n):
        for nic in nics:
            for smp in smps:
                for kind, iso, cpu in systems(nic, smp, with_linux):
                    name = f"{kind} {nic}" + (f" smp {smp}" if smp != 1 else "")
                    progress(f"round {i + 1} of {n}: {name}")
                    try:
                        one_guest(name, iso, cpu, nic, smp, machine, seconds, results)
                    except GuestError as e:
                        print(f"{name}: {e}", flush=True)
    return results
