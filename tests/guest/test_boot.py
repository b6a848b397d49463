# SPDX-License-Identifier: MIT
"""Weft boots to a root shell on every machine that we promise."""
import os

import pytest
from guest import BUILD, Guest

MACHINES = [
    # firmware, boot, machine, processors, CPU
    ("bios", "cd", "pc", 1, "qemu64"),
    ("bios", "cd", "pc", 2, "max"),
    ("bios", "cd", "pc", 4, "qemu64"),
    ("bios", "cd", "q35", 2, "qemu64"),
    ("bios", "cd", "q35", 4, "max"),
    ("bios", "usb", "q35", 2, "qemu64"),
    ("uefi", "cd", "pc", 2, "qemu64"),
    ("uefi", "cd", "q35", 1, "max"),
    ("uefi", "cd", "q35", 4, "qemu64"),
    ("uefi", "usb", "q35", 2, "max"),
]


@pytest.mark.parametrize("firmware,boot,machine,smp,cpu", MACHINES)
def test_boots_to_shell(start, firmware, boot, machine, smp, cpu):
    g = start(firmware=firmware, boot=boot, machine=machine, smp=smp, cpu=cpu).login(120)
    assert g.sh("id -u").strip() == "0"
    assert g.sh("uname -srm").split() == ["Linux", "0.1.0-weft", "x86_64"]
    assert int(g.sh("grep -c ^processor /proc/cpuinfo")) == smp
    assert g.sh("cat /sys/devices/system/cpu/online").strip() == ("0" if smp == 1 else f"0-{smp - 1}")
    ps = g.sh("ps")
    assert " init\n" in ps and ps.count("-/bin/sh\n") >= 2
    total = int(g.sh("free -k").split("Mem:")[1].split()[0])
    assert 200_000 < total < 262_144
    assert g.sh("dmesg").count("\n") > 5
    mounts = g.sh("cat /proc/mounts")
    assert " /proc proc " in mounts and " /sys sysfs " in mounts


def test_iso_is_small():
    assert os.path.getsize(os.path.join(BUILD, "weft.iso")) < 16 << 20


def test_grub_menu_offers_manual_start(start):
    """The image as `make iso` leaves it: the menu on the serial line, its second entry chosen by hand."""
    g = start(os.path.join(BUILD, "weft.iso"))
    g.expect("net=manual", 60)
    g.send(b"\x1b[B\r")
    g.login()
    assert "net=manual" in g.sh("cat /proc/cmdline")
    assert g.sh("cat /proc/modules") == ""


def test_safe_entry_uses_one_processor(start):
    g = start(entry="safe", smp=4).login()
    assert int(g.sh("grep -c ^processor /proc/cpuinfo")) == 1


def test_command_line_words_arrive(start):
    g = start(cmdline="net=manual some.word=a,b quiet").login()
    assert g.sh("cat /proc/cmdline").split()[-3:] == ["net=manual", "some.word=a,b", "quiet"]


def test_boots_without_network_card(start):
    g = start(nic=None).login()
    assert "no network card" in g.text()
    assert g.run("ifconfig eth0")[1] != 0


def test_shell_on_the_screen_reads_the_keyboard(start):
    g = start(cmdline="net=manual").login()
    _, _, before = g.screen()
    g.keys(["e", "c", "h", "o", "spc", "shift-a", "b", "shift-dot", "slash", "t", "m", "p", "slash", "k", "ret"])
    g.until("[ -s /tmp/k ]")
    assert g.sh("cat /tmp/k") == "Ab\n"
    _, _, after = g.screen()
    assert before != after


def test_autorun_then_poweroff(start, tmp_path):
    script = tmp_path / "extra" / "root" / "hello"
    script.parent.mkdir(parents=True)
    script.write_text("#!/bin/sh\necho autorun says $(uname -s)\n")
    script.chmod(0o755)
    g = start(cmdline="net=manual autorun=/root/hello,poweroff", extra=str(tmp_path / "extra"))
    g.expect("autorun says Linux", 60)
    assert g.wait_exit() == 0


def test_poweroff_ends_qemu(start):
    g = start(cmdline="net=manual").login()
    g.send("poweroff\n")
    assert g.wait_exit() == 0


@pytest.mark.parametrize("firmware", ["bios", "uefi"])
def test_panic_exit_ends_qemu_with_backtrace(start, firmware):
    g = start(cmdline="net=manual panic=exit", firmware=firmware).login(120)
    g.send("echo c > /proc/sysrq-trigger\n")
    assert g.wait_exit() != 0
    trace = g.text().split("sysrq-trigger", 1)[1]
    assert "+0x" in trace, "the backtrace names no function"


def test_harness_notices_a_failing_command(start):
    g = start(cmdline="net=manual").login()
    assert isinstance(g, Guest)
    assert g.run("false")[1] == 1
    assert g.run("printf 'no newline'") == ("no newline", 0)
    assert g.run("ls /nowhere")[1] != 0
