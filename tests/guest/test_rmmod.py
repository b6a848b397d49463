# SPDX-License-Identifier: MIT
"""A module leaves, or rmmod says at once who holds it; what it forgot is undone; what it breaks stays its own."""
import time

import pytest
from guest import wait_for
from modules import CHAIN, FOLDER, loaded, memory, outside, pristine, thread_in


@pytest.fixture
def g(machine):
    return pristine(machine(entry="manual", extra=outside("forgetful", "crasher")))


def refused(g, name, *holders):
    """rmmod gives up within two seconds; dmesg and /sys/module/NAME/users name the holders."""
    users = g.sh(f"cat /sys/module/{name}/users")
    g.sh("dmesg -c > /dev/null")
    start = time.monotonic()
    out, status = g.run(f"rmmod {name}", 10)
    assert status != 0 and "can't unload module" in out, out
    assert time.monotonic() - start < 8
    log = g.sh("dmesg")
    for holder in holders:
        assert holder in users, users
        assert holder in log, log


def test_each_module_is_held_by_the_one_above(g):
    thread_in(g)
    refused(g, "ip", "ethernet", "e1000", "ipv4", "icmp")
    refused(g, "ethernet", "eth0")
    assert "e1000" in g.sh("ls /sys/module/ip/holders")
    refs = {line.split()[0]: line.split()[2] for line in g.sh("lsmod").splitlines()[1:]}
    assert int(refs["ip"]) >= 4


def test_driver_leaves_its_interface_and_comes_back(g):
    """The interface is the core's: it keeps address and routes while there is no driver for it."""
    thread_in(g)
    g.sh("route add default gw 10.0.2.2; ping -c 1 10.0.2.2", 15)
    for _ in range(3):
        g.sh("rmmod e1000", 5)
        assert g.run("ping -c 1 -W 1 10.0.2.2")[1] != 0
        g.sh(f"insmod {FOLDER}/e1000.ko")
        assert "10.0.2.15" in g.sh("ifconfig eth0")
        g.sh("ifconfig eth0 up; ping -c 1 -W 3 10.0.2.2", 15)
    assert "UG" in g.sh("route -n")


def test_socket_is_named_with_its_process(g):
    thread_in(g)
    g.sh("ping 10.0.2.2 > /dev/null &")
    g.until("grep -q pid /sys/module/ip/users")
    pid = g.sh("pidof ping").strip()
    refused(g, "ip", f"pid {pid}")
    g.sh("kill $(pidof ping)")


def test_protocols_leave_in_any_order(g):
    thread_in(g)
    g.sh("rmmod ipv4")
    g.sh("ifconfig eth0 > /dev/null; true")
    g.sh("rmmod icmp")
    g.sh("modprobe icmp; modprobe ipv4")
    g.sh("ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up")
    g.sh("ping -c 2 10.0.2.2", 15)


def test_force_takes_the_users_down(g):
    thread_in(g)
    g.sh("(ping 10.0.2.2 > /tmp/ping.log 2>&1 &)")  # the shell does not say when it ends
    g.until("grep -q seq=0 /tmp/ping.log")
    start = time.monotonic()
    g.sh("rmmod -f icmp", 10)
    g.sh("rmmod -f ipv4", 10)
    g.sh("rmmod -f e1000", 10)
    assert time.monotonic() - start < 20
    assert {"ip", "ethernet"} == loaded(g)
    g.run("kill $(pidof ping)")
    g.sh("rmmod ethernet")
    g.sh("rmmod -f ip", 10)
    assert loaded(g) == set()
    thread_in(g)
    g.sh("ping -c 1 10.0.2.2", 15)


def test_failed_init_leaves_no_trace(g):
    g.run("insmod /lib/outside/forgetful.ko fail=12")
    g.run("rmmod forgetful")
    before = memory(g)
    for _ in range(5):
        out, status = g.run("insmod /lib/outside/forgetful.ko fail=12")
        assert status != 0 and "Cannot allocate memory" in out, out
    assert loaded(g) == set()
    assert g.run("ls /proc/forgetful /sys/module/forgetful /sys/kernel/forgetful /proc/sys/kernel/forgetful 2>/dev/null")[0] == ""
    after = memory(g)
    assert abs(after["MemFree"] - before["MemFree"]) < 200 and abs(after["objects"] - before["objects"]) < 40
    g.sh("insmod /lib/outside/forgetful.ko && rmmod forgetful")


def test_forgotten_things_are_undone_and_named(g):
    g.sh("dmesg -c > /dev/null; insmod /lib/outside/forgetful.ko level=7 greeting=moin loud")
    assert "forgetful: moin" in g.sh("dmesg")
    g.until("cat /proc/forgetful | grep -q '^level 7, moin, [1-9]'")
    assert g.sh("cat /sys/kernel/forgetful /proc/sys/kernel/forgetful").endswith("ticks\n0\n")
    g.sh("rmmod forgetful", 10)
    log = g.sh("dmesg")
    for thing in ('timer "tick+0x0', '"run+0x0', "/proc file", "sysctl", "thread", "rmmod -f"):
        assert thing in log, log
    assert g.run("ls /proc/forgetful /sys/kernel/forgetful /proc/sys/kernel/forgetful 2>/dev/null")[0] == ""
    g.sh("sleep 0.3; true")  # a timer left behind would fire into freed memory
    assert loaded(g) == set()


def test_file_of_a_module_gone(g):
    g.sh("insmod /lib/outside/forgetful.ko; exec 5< /proc/forgetful; rmmod forgetful")
    assert g.run("cat <&5; exec 5<&-")[0].count("level") == 0


def test_parameters(g):
    g.sh("insmod /lib/outside/forgetful.ko level=10 loud=0 greeting='two words' || insmod /lib/outside/forgetful.ko level=10")
    where = "/sys/module/forgetful/parameters"
    assert g.sh(f"ls {where}").split() == ["fail", "greeting", "level", "loud"]
    assert g.sh(f"cat {where}/level {where}/loud {where}/fail") == "10\nN\n0\n"
    g.sh(f"echo 4 > {where}/level; echo Y > {where}/loud")
    assert g.sh(f"cat {where}/level {where}/loud") == "4\nY\n"
    for bad in ("11", "-1", "x", "4x", "99999999999999999999", ""):
        assert g.run(f"echo '{bad}' > {where}/level")[1] != 0, bad
    assert g.sh(f"cat {where}/level") == "4\n"
    assert g.run(f"echo 5 > {where}/fail")[1] != 0
    g.sh("rmmod forgetful")


@pytest.mark.parametrize("words,errno", [("level=11", 22), ("level=abc", 22), ("level=", 22), ("level", 22),
                                         ("loud=maybe", 22), ("greeting=much-too-long-for-it", 22),
                                         ("nosuch=1", 2), ("fail=1 nosuch", 2)])
def test_bad_parameters_refuse_the_module(g, words, errno):
    g.sh("dmesg -c > /dev/null")
    out, status = g.run(f"insmod /lib/outside/forgetful.ko {words}")
    assert status == errno, out
    assert "forgetful" in g.sh("dmesg") and loaded(g) == set()


def test_parameters_on_the_command_line(start):
    g = start(cmdline="net=manual forgetful.level=9", extra=outside("forgetful", "crasher")).login()
    g.sh("insmod /lib/outside/forgetful.ko")
    assert g.sh("cat /sys/module/forgetful/parameters/level") == "9\n"


def test_driver_parameters(g):
    thread_in(g, CHAIN[:2] + ["e1000"])
    assert int(g.sh("cat /sys/module/e1000/parameters/rx_ring")) >= 16
    pristine(g)
    assert g.run(f"insmod {FOLDER}/ip.ko; insmod {FOLDER}/ethernet.ko; insmod {FOLDER}/e1000.ko rx_ring=17")[1] == 22
    g.sh(f"insmod {FOLDER}/e1000.ko rx_ring=32 tx_ring=16; insmod {FOLDER}/ipv4.ko; insmod {FOLDER}/icmp.ko")
    g.sh("ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up; ping -c 5 -A -s 1400 10.0.2.2", 15)


def test_modprobe_by_device(g):
    alias = g.sh("cat /sys/bus/pci/devices/*/modalias | grep -i v00008086d0000100E").split()[0]
    g.sh(f"modprobe {alias}")
    assert {"ip", "ethernet", "e1000"} == loaded(g)
    assert g.run("modprobe no-such-module")[1] != 0


def test_rmmod_of_what_is_not_there(g):
    out, status = g.run("rmmod nosuch")
    assert status != 0 and "No such file" in out


def test_exit_that_hangs_does_not_hang_rmmod(g):
    g.sh("insmod /lib/outside/crasher.ko where=hang")
    start = time.monotonic()
    assert g.run("rmmod crasher", 10)[1] != 0
    assert time.monotonic() - start < 8
    assert wait_for(lambda: loaded(g) == set())


@pytest.mark.oops
@pytest.mark.parametrize("where", ["init", "thread", "file", "work"])
def test_a_crash_is_the_modules_own(machine, where):
    g = machine(entry="manual", extra=outside("forgetful", "crasher"), mem=64 + {"init": 1, "thread": 2, "file": 3, "work": 4}[where])
    g.run(f"insmod /lib/outside/crasher.ko where={where}", 15)
    if where == "file":
        g.run("cat /proc/crasher", 10)
    g.until("dmesg | grep crash_here")
    log = g.sh("sleep 0.5; dmesg")
    assert "crash_here+0x" in log and "[crasher]" in log, log
    assert "Kernel panic" not in g.text()
    if where != "init":
        assert "crasher" in loaded(g)
        out, status = g.run("rmmod crasher", 10)
        assert status != 0
        assert "D" in g.sh("grep ^crasher /proc/modules").split("(")[-1]
    g.sh(f"insmod {FOLDER}/ip.ko")
    g.sh("rmmod ip")
    g.sh("seq 1 1000 | sort | tail -n 1")


@pytest.mark.oops
def test_crashes_do_not_use_up_the_work_queue(machine):
    g = machine(entry="manual", extra=outside("forgetful", "crasher"), mem=70)
    g.sh("insmod /lib/outside/crasher.ko where=works", 60)
    said = "dmesg | grep -c -e '] oops: ' -e 'crasher: the work queue goes on'"
    out = g.run(f"i=0; while [ $({said}) -lt 9 ] && [ $i -lt 60 ]; do sleep 0.5; i=$((i+1)); done; {said}", 60)[0]
    assert out.strip() == "9", g.sh("dmesg")
