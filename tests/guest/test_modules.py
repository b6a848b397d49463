# SPDX-License-Identifier: MIT
"""The network stack is threaded in by hand, one module at a time, and drawn out again."""
import os
import re
import subprocess

import pytest
from guest import TOP, make_iso

CHAIN = ["ip", "ethernet", "e1000", "ipv4", "icmp"]


def loaded(g):
    return {line.split()[0] for line in g.sh("cat /proc/modules").splitlines()}


def thread_in(g):
    for name in CHAIN:
        g.sh(f"insmod {name}.ko")


def ping_gateway(g):
    g.sh("ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up")
    g.sh("route add default gw 10.0.2.2")
    out = g.sh("ping -c 3 10.0.2.2", 30)
    assert "3 packets transmitted, 3 packets received, 0% packet loss" in out
    assert "10.0.2.2" in g.sh("arp -n")
    eth0 = [line.split() for line in g.sh("cat /proc/net/dev").splitlines() if "eth0:" in line][0]
    assert int(eth0[2]) >= 4 and int(eth0[10]) >= 4


def test_insmod_chain_ping_rmmod_twice(start):
    g = start(entry="manual").login()
    assert loaded(g) == set()
    g.sh("cd /lib/modules/$(uname -r)")
    for _ in range(2):
        thread_in(g)
        assert loaded(g) == set(CHAIN)
        lsmod = g.sh("lsmod")
        assert all(name in lsmod for name in CHAIN)
        ping_gateway(g)
        g.sh("ifconfig eth0 down")
        for name in reversed(CHAIN):
            g.sh(f"rmmod {name}")
        assert loaded(g) == set()
        assert "eth0" not in g.run("cat /proc/net/dev")[0]  # ifconfig would have ip.ko loaded


def test_started_network_answers(start):
    g = start().login()
    assert set(CHAIN) <= loaded(g)
    assert "10.0.2.15" in g.sh("ifconfig eth0")
    g.sh("ping -c 2 10.0.2.2")
    g.sh("ping -c 2 127.0.0.1")


def test_missing_dependency_names_the_symbol(start):
    g = start(entry="manual").login()
    g.sh("cd /lib/modules/$(uname -r)")
    out, status = g.run("insmod e1000.ko")
    assert status == 2 and "unknown symbol" in out.lower()
    assert loaded(g) == set()
    assert "ip" in g.sh("dmesg | tail -n 5")


def test_rmmod_of_a_used_module_is_refused_at_once(start):
    g = start(entry="manual").login()
    g.sh("cd /lib/modules/$(uname -r)")
    g.sh("insmod ip.ko")
    g.sh("insmod ethernet.ko")
    out, status = g.run("rmmod ip", 5)
    assert status != 0 and "can't unload module" in out
    assert loaded(g) == {"ip", "ethernet"}


def test_loading_twice_says_file_exists(start):
    g = start(entry="manual").login()
    g.sh("cd /lib/modules/$(uname -r)")
    g.sh("insmod ip.ko")
    out, status = g.run("insmod ip.ko")
    assert status == 17 and "File exists" in out


def test_modprobe_and_modinfo_of_busybox(start):
    g = start(entry="manual").login()
    g.sh("modprobe e1000")
    assert {"ip", "ethernet", "e1000"} <= loaded(g)
    info = g.sh("modinfo e1000")
    assert "depends:" in info and "ethernet" in info and "0.1.0-weft SMP abi=" in info
    g.sh("modprobe -r e1000")
    assert loaded(g) == set()


@pytest.mark.parametrize("damage", ["empty", "text", "truncated", "wrong_machine", "wrong_abi"])
def test_a_bad_file_is_refused_and_leaves_nothing(start, tmp_path, damage):
    with open(os.path.join(TOP, "build/root/lib/modules/0.1.0-weft/ip.ko"), "rb") as f:
        good = f.read()
    bad = {
        "empty": b"",
        "text": b"#!/bin/sh\necho no module\n",
        "truncated": good[:len(good) // 2],
        "wrong_machine": good[:18] + b"\xb7\x00" + good[20:],
        "wrong_abi": re.sub(rb"SMP abi=....", b"SMP abi=none", good, count=1),
    }[damage]
    (tmp_path / "tmpmod").mkdir()
    (tmp_path / "tmpmod" / "bad.ko").write_bytes(bad)
    g = start(entry="manual", extra=str(tmp_path)).login()
    out, status = g.run("insmod /tmpmod/bad.ko")
    assert status != 0, out
    assert loaded(g) == set()
    g.sh("modprobe ip")


HELLO = """/* SPDX-License-Identifier: MIT */
/* hello.c - a module outside the tree. */
#include <weft/module.h>
#include <weft/printk.h>

static int hello_init(void)
{
	pr_info("hello from outside\\n");
	return 0;
}

static void hello_exit(void)
{
	pr_info("good-bye from outside\\n");
}

module_entry_points(hello_init, hello_exit);
MODULE_LICENSE("MIT");
"""


def test_module_outside_the_tree(start, tmp_path):
    folder = tmp_path / "hello"
    folder.mkdir()
    (folder / "hello.c").write_text(HELLO)
    (folder / "module.mk").write_text("name := hello\nobjs := hello.o\ndeps :=\n")
    subprocess.run(["make", "-C", TOP, f"M={folder}"], check=True)
    extra = tmp_path / "extra" / "lib" / "outside"
    extra.mkdir(parents=True)
    (folder / "hello.ko").rename(extra / "hello.ko")
    g = start(entry="manual", extra=str(tmp_path / "extra")).login()
    g.sh("insmod /lib/outside/hello.ko")
    g.sh("dmesg | grep -q 'hello from outside'")
    g.sh("rmmod hello")
    g.sh("dmesg | grep -q 'good-bye from outside'")


def test_modprobe_side_by_side(start):
    """modprobe takes a module that /proc/modules calls Loading for loaded: those above it wait for it."""
    g = start(entry="manual").login()
    for _ in range(8):
        out = g.sh("modprobe tcp & modprobe udp & modprobe icmp & modprobe ipv6 & wait; rmmod tcp udp icmp ipv6 ip 2>&1", 60)
        assert "unknown symbol" not in out, out


def test_first_sockets_of_two_programs_at_once(start):
    g = start().login()
    out = g.sh("for i in $(seq 12); do rmmod tcp_cubic tcp 2>/dev/null; for k in 1 2 3; do nc 127.0.0.1 9 & done; wait; done 2>&1", 120)
    assert "refused" in out and "not supported" not in out, out


@pytest.mark.limit(400)
def test_builtin_stack_answers_without_a_module(start):
    out = os.path.join(TOP, "build/test/builtin")
    subprocess.run(["make", f"-j{os.cpu_count()}", "-C", TOP, f"O={out}", f"BUILTIN={' '.join(CHAIN)}",
                    f"MODULES={' '.join(CHAIN)} udp", "iso"], check=True)
    g = start(make_iso(entry="manual", build=out)).login()
    assert loaded(g) == set()
    ping_gateway(g)
    g.sh("modprobe udp")
    assert loaded(g) == {"udp"}
