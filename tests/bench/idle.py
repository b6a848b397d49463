# SPDX-License-Identifier: MIT
"""idle - what 10,000 idle TCP connections cost: a guest of 256 MB holds them open in nginx while one stream still runs;
memory by the guest's own MemAvailable and nginx's resident size."""
import re
import subprocess
import time

from guest import Guest, GuestError, Netns
from guests import NICS, TUNED, linux_iso, weft_iso
from net import ADDRESS, MEMORY, iperf

CONNECTIONS = 10_000
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


def one_guest(name, iso, cpu, nic, machine, results):
    ns = Netns()
    g = None
    try:
        g = Guest(iso, nic=NICS[nic], smp=1, mem=MEMORY, netns=ns, cpu=cpu, machine=machine)
        g.login(90)
        g.run("mkdir -p /var/log/nginx /var/lib/nginx /tmp; ulimit -n 20000; echo 4096 > /proc/sys/net/core/somaxconn; "
              "iperf3 -s -D")
        g.run(f"echo '{CONF}' > /tmp/idle.conf; nginx -c /tmp/idle.conf", 20)
        time.sleep(1)
        ns.run("sysctl -qw net.ipv4.ip_local_port_range='10000 65000'")
        alone = iperf(ns, "", 3)["sum_received"]["bits_per_second"] / 1e6
        before, mine = available(g), resident(g)
        proc = subprocess.Popen([*ns.prefix, "/usr/bin/python3", "-c", CLIENT, str(CONNECTIONS)], text=True,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            held = int(proc.stdout.readline())
            time.sleep(1)
            kernel = before - available(g) - (resident(g) - mine)
            beside = iperf(ns, "", 3)["sum_received"]["bits_per_second"] / 1e6
        finally:
            proc.stdin.close()
            proc.wait(20)
            proc.stdout.close()
        for metric, value in (("idle connections held", held), ("kernel memory a connection, bytes", kernel * 1024 / held),
                              ("TCP in without them, Mbit/s", alone), ("TCP in beside them, Mbit/s", beside)):
            results.setdefault((name, metric), []).append(value)
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
