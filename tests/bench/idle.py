# SPDX-License-Identifier: MIT
"""idle - what 10,000 idle TCP connections cost: a guest of 256 MB holds them open in nginx while one stream still runs;
memory by the guest's own MemAvailable and nginx's resident size.

The stream runs without them and beside them in turn, in one guest: a machine that does something else meanwhile can halve
either, so a single pair says nothing. The emulator's CPU time a segment does not count what it waited for a CPU; guest
instructions a segment, which nothing disturbs, are the same with and without (docs/benchmarks.md)."""
import glob
import re
import statistics
import subprocess
import time

from guest import Guest, GuestError, Netns, wait_for
from guests import NICS, TUNED, linux_iso, weft_iso
from net import ADDRESS, MEMORY, iperf

CONNECTIONS = 10_000
PAIRS = 4
SECONDS = 2
SEGMENT = 1448
# Opens n connections, says how many, holds them until its standard input ends.
CLIENT = """
import resource, socket, sys
n = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (n + 100, n + 100))
held = []
for i in range(n):
    s = socket.socket()
    s.settimeout(20)
    try:
        s.connect(('%s', 8081))
    except OSError as e:
        print(e, file=sys.stderr)
        break
    held.append(s)
print(len(held), flush=True)
sys.stdin.read()
""" % ADDRESS
CONF = ("daemon on; worker_processes 1; worker_rlimit_nofile 20000; error_log /dev/null; pid /tmp/idle.pid; "
        "events { worker_connections 15000; } http { access_log off; client_header_timeout 1h; "
        "server { listen 8081 backlog=4096; root /www; } }")


def available(g):
    return int(re.search(r"MemAvailable:\s+(\d+)", g.sh("cat /proc/meminfo"))[1])


def resident(g):
    pids = g.sh("pidof nginx").split()
    return sum(int(m) for pid in pids for m in re.findall(r"VmRSS:\s+(\d+)", g.sh(f"cat /proc/{pid}/status")))


def cpu_seconds(pid):
    """What all threads of a process have run."""
    ns = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        with open(path) as f:
            ns += int(f.read().split()[0])
    return ns / 1e9


def stream(g, ns):
    """Mbit/s, and microseconds of the emulator's CPU a segment."""
    before = cpu_seconds(g.proc.pid)
    received = iperf(ns, "", SECONDS)["sum_received"]
    used = cpu_seconds(g.proc.pid) - before
    return received["bits_per_second"] / 1e6, used * 1e6 / (received["bytes"] / SEGMENT)


def connections(g):
    return int(re.search(r"TCP: inuse (\d+)", g.sh("cat /proc/net/sockstat"))[1])


class Held:
    """As many idle connections as there can be, for the length of the block."""
    def __init__(self, g, ns):
        self.g, self.few = g, connections(g)
        self.proc = subprocess.Popen([*ns.prefix, "/usr/bin/python3", "-c", CLIENT, str(CONNECTIONS)], text=True,
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self):
        self.number = int(self.proc.stdout.readline())
        time.sleep(1)
        return self.number

    def __exit__(self, *args):
        self.proc.stdin.close()
        self.proc.wait(30)
        self.proc.stdout.close()
        wait_for(lambda: connections(self.g) < self.few + 100, 30, 1)


def one_guest(name, iso, cpu, nic, machine, results):
    ns = Netns()
    g = None
    without, beside = [], []
    try:
        g = Guest(iso, nic=NICS[nic], smp=1, mem=MEMORY, netns=ns, cpu=cpu, machine=machine)
        g.login(90)
        g.run("mkdir -p /var/log/nginx /var/lib/nginx /tmp; ulimit -n 20000; echo 4096 > /proc/sys/net/core/somaxconn; "
              "iperf3 -s -D")
        g.run(f"echo '{CONF}' > /tmp/idle.conf; nginx -c /tmp/idle.conf", 20)
        time.sleep(1)
        ns.run("sysctl -qw net.ipv4.ip_local_port_range='10000 65000'")
        stream(g, ns)
        before, mine = available(g), resident(g)
        with Held(g, ns) as held:
            kernel = before - available(g) - (resident(g) - mine)
        for _ in range(PAIRS):
            without.append(stream(g, ns))
            with Held(g, ns):
                beside.append(stream(g, ns))
        for metric, value in (("idle connections held", held), ("kernel memory a connection, bytes", kernel * 1024 / held)):
            results.setdefault((name, metric), []).append(value)
        for what, pairs in (("without", without), ("beside", beside)):
            for i, unit in enumerate(("TCP in %s them, Mbit/s", "emulator's CPU a segment %s them, us")):
                results.setdefault((name, unit % what), []).append(statistics.median(p[i] for p in pairs))
    finally:
        if g:
            g.stop()
        ns.close()


def rounds(n, nics, machine, with_linux, progress):
    results = {}
    for i in range(n):
        for nic in nics:
            systems = [("weft", weft_iso(extra=True), "max")]
            if with_linux:
                systems.append(("linux tuned", linux_iso(nic, extra=True, append=TUNED), "max,-erms"))
            for kind, iso, cpu in systems:
                progress(f"round {i + 1} of {n}: {kind} {nic}, {CONNECTIONS} idle connections")
                try:
                    one_guest(f"{kind} {nic}", iso, cpu, nic, machine, results)
                except (GuestError, ValueError, TypeError) as e:
                    print(f"{kind} {nic}: {e}", flush=True)
    return results
