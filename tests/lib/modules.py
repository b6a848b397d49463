# SPDX-License-Identifier: MIT
"""modules - the stack as the tests thread it in, what a machine says of its memory and drops, and module folders
outside the tree built for a machine."""
import functools
import os
import re
import shutil
import subprocess

from guest import BUILD, TOP

CHAIN = ["ip", "ethernet", "e1000", "ipv4", "icmp"]
FOLDER = "/lib/modules/0.1.0-weft"


@functools.cache
def outside(*folders):
    """A folder to lay over the root file system, with the modules of tests/external/NAME as /lib/outside/NAME.ko."""
    root = os.path.join(BUILD, f"test/outside-{os.getpid()}-" + "-".join(folders))
    shutil.rmtree(root, ignore_errors=True)
    os.makedirs(os.path.join(root, "lib/outside"))
    for name in folders:
        work = os.path.join(BUILD, f"test/external-{os.getpid()}", name)
        shutil.copytree(os.path.join(TOP, "tests/external", name), work, dirs_exist_ok=True)
        subprocess.run(["make", "-C", TOP, f"M={work}"], check=True, stdout=subprocess.DEVNULL)
        shutil.copy(os.path.join(work, name + ".ko"), os.path.join(root, "lib/outside"))
    return root


def loaded(g):
    return {line.split()[0] for line in g.sh("cat /proc/modules").splitlines()}


def thread_in(g, chain=CHAIN, address="10.0.2.15"):
    for name in chain:
        g.sh(f"insmod {FOLDER}/{name}.ko")
    g.sh(f"ifconfig eth0 {address} netmask 255.255.255.0 up")


def draw_out(g, chain=CHAIN):
    g.sh("ifconfig eth0 down")
    for name in reversed(chain):
        g.sh(f"rmmod {name}", 10)


def pristine(g):
    """A machine without any module, whatever a test left loaded."""
    for _ in range(3):
        names = loaded(g)
        if not names:
            return g
        g.run("ifconfig eth0 down; ifconfig lo down")
        g.run("for i in 1 2 3 4 5 6; do for m in $(cut -d' ' -f1 /proc/modules); do rmmod $m; done; done 2>/dev/null", 30)
    assert not loaded(g), "modules that cannot be unloaded: " + g.sh("cat /proc/modules")
    return g


def drops(g):
    """{name: count} of all packets dropped."""
    return {name: int(count) for name, count in re.findall(r"^(\w+)\s+(\d+)\s*$", g.sh("cat /proc/net/weft/drops"), re.M)}


def used_kb(g):
    return int(re.search(r"Mem:\s+\d+\s+(\d+)", g.sh("free -k"))[1])


def packets_alive(g):
    return int(g.sh("grep ^alive /proc/net/weft/pkt").split()[1])


def memory(g):
    """{"MemFree": kB, "Slab": kB, ..., "objects": n, "packets": n} after things have settled; objects are those in
    use, without what the caches of the processors hold, and without the packets, which have caches of their own."""
    out = g.sh("sleep 0.3; cat /proc/meminfo /proc/vmstat")
    found = {line.split()[0].rstrip(":"): int(line.split()[1]) for line in out.splitlines()}
    slabs = {row.split()[0]: int(row.split()[1]) for row in g.sh("cat /proc/slabinfo").splitlines()[2:]}
    found |= {"slab " + name: n for name, n in slabs.items()}
    found["objects"] = sum(n for name, n in slabs.items() if not name.startswith("pkt"))
    found["packets"] = packets_alive(g)
    return found
