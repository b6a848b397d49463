# SPDX-License-Identifier: MIT
"""Memory: little is enough, what is taken comes back, and no failing allocation ends the kernel."""
import pytest
from guest import GuestError, wait_for
from modules import CHAIN, draw_out, loaded, memory, packets_alive, thread_in


def grown(before, after):
    """What has grown or shrunk more than noise; per-CPU caches of free pages and objects are noise."""
    bounds = {"MemFree": 600, "objects": 40, "nr_vmalloc_pages": 16, "packets": 2}
    if all(abs(after[k] - before[k]) <= bound for k, bound in bounds.items()):
        return {}
    return {k: (before.get(k, 0), after[k]) for k in after if abs(after[k] - before.get(k, 0)) > 8}


def test_thirty_two_megabytes_are_enough(start):
    g = start(mem=32).login(90)
    g.sh("ping -c 2 10.0.2.2")
    g.sh("seq 1 20000 | sort -n | md5sum", 60)
    g.sh("dd if=/dev/zero of=/tmp/f bs=1M count=4 2>/dev/null && md5sum /tmp/f && rm /tmp/f")
    assert int(g.sh("free -k").split("Mem:")[1].split()[2]) > 10_000


def test_programs_leave_nothing(machine):
    g = machine(entry="manual")
    run = "i=0; while [ $i -lt 100 ]; do /bin/busybox true; i=$((i+1)); done"
    g.sh(run, 60)
    before = memory(g)
    g.sh(run, 60)
    g.sh(run, 60)
    assert not grown(before, memory(g))


def test_pipelines_and_files_leave_nothing(machine):
    g = machine(entry="manual")
    run = "for i in 1 2 3 4 5 6 7 8; do seq 1 500 | sort | tail -n 1 > /tmp/o; mkdir /tmp/d; rmdir /tmp/d; rm /tmp/o; done"
    g.sh(run, 60)
    before = memory(g)
    g.sh(run + "; " + run, 60)
    assert not grown(before, memory(g))


def test_the_stack_leaves_nothing(machine):
    g = machine(entry="manual")

    def once():
        thread_in(g)
        g.sh("ping -c 1 10.0.2.2", 10)
        draw_out(g)

    for _ in range(2):
        once()
    before = memory(g)
    for _ in range(10):
        once()
    assert not grown(before, memory(g))
    assert loaded(g) == set()


def test_packets_go_back(machine):
    g = machine()
    g.sh("ping -c 1 10.0.2.2")
    before = packets_alive(g)
    g.sh("ping -c 5 -s 1400 -A 10.0.2.2; ping -c 3 127.0.0.1", 30)
    assert wait_for(lambda: packets_alive(g) - before <= 2), (before, packets_alive(g))


@pytest.mark.limit(300)
@pytest.mark.parametrize("every", [50, 7])
def test_failing_allocations_end_nothing(machine, every):
    """Every Nth allocation fails while programs and the network run: they may fail, the kernel may not."""
    g = machine(mem=128)
    g.sh(f"ping -c 1 10.0.2.2; echo {every} > /proc/sys/kernel/fail_alloc; true")
    work = ["ls -lR /proc/self /sys/module > /dev/null", "ps", "seq 1 300 | sort | wc -l", "ping -c 1 -W 1 10.0.2.2",
            "mkdir -p /tmp/a/b/c; rm -r /tmp/a", "cat /proc/net/* /proc/net/weft/* > /dev/null", "ifconfig; route -n; arp -n",
            "ifconfig eth0 down; ifconfig eth0 10.0.2.15 up", "mount -t tmpfs none /mnt; umount /mnt",
            "dd if=/dev/zero of=/tmp/x bs=64k count=20; rm /tmp/x", "(sleep 0.1 | cat | cat) & wait"]
    stack = [f"ifconfig eth0 down; ifconfig lo down; rmmod {name}" for name in reversed(CHAIN)]
    stack += [f"modprobe {name}" for name in CHAIN]
    for command in work * 2 + stack * 2 + work:
        try:
            g.run(command + " 2>/dev/null", 20, mortal=True)
        except GuestError:
            g.revive()  # the shell itself may be the one without memory
    for _ in range(50):
        try:
            if g.run("echo 0 > /proc/sys/kernel/fail_alloc; cat /proc/sys/kernel/fail_alloc", 5, mortal=True)[0].strip() == "0":
                break
        except GuestError:
            g.revive()
    for name in CHAIN:
        g.run(f"modprobe {name}")
    g.sh("ifconfig lo 127.0.0.1 up; ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up; ping -c 2 10.0.2.2", 20)


def test_init_is_spared(machine):
    """An init whose fork failed would never start a shell on that console again."""
    g = machine(mem=128)
    g.sh("exec 9> /proc/sys/kernel/fail_alloc")
    g.send("(trap '' HUP; sleep 5; until echo 0 >&9; do :; done) 2> /dev/null & sleep 1; echo 2 >&9; kill -9 $$\n")
    g.revive()
    assert g.sh("cat /proc/sys/kernel/fail_alloc", 20).strip() == "0"


def test_debug_counts_balance_after_a_crash(machine):
    g = machine(entry="manual")
    g.run("sh -c 'kill -SEGV $$'")
    before = memory(g)
    for _ in range(10):
        g.run("sh -c 'kill -SEGV $$'")
    assert not grown(before, memory(g))
