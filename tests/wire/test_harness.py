# SPDX-License-Identifier: MIT
"""The tests' own machinery: a run that is killed leaves nothing on the host."""
import os
import signal
import subprocess
import sys

from guest import TOP, wait_for

RUN = """
import subprocess, sys, time
sys.path.insert(0, sys.argv[1])
from guest import Guest, Netns
net = Netns()
inside = Guest(netns=net)
outside = Guest()
subprocess.Popen([*net.prefix, "sh", "-c", "sleep 1000 & sleep 1000"])
while len(pids := net.run(f"ip netns pids {net.name}")[0].split()) < 5:  # QEMU, both that sleep, their shell, and who asks
    time.sleep(0.1)
print(net.name, outside.proc.pid, *pids, flush=True)
time.sleep(1000)
"""


def runs(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_killed_run_leaves_nothing(net):
    run = subprocess.Popen([sys.executable, "-c", RUN, os.path.join(TOP, "tests/lib")], stdout=subprocess.PIPE, text=True)
    name, *pids = run.stdout.readline().split()
    try:
        assert os.path.exists(f"/run/netns/{name}") and all(map(runs, pids[:2]))
    finally:
        run.send_signal(signal.SIGKILL)
        run.wait()
        run.stdout.close()
    assert wait_for(lambda: not os.path.exists(f"/run/netns/{name}") and not any(map(runs, pids)), 20), list(filter(runs, pids))
