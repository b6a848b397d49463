# SPDX-License-Identifier: MIT
"""The ways a machine ends: poweroff, reboot, halt, /proc/sysrq-trigger, and what init does before."""
import pytest

COMMANDS = ["poweroff", "reboot", "poweroff -f", "reboot -f", "echo o > /proc/sysrq-trigger",
            "echo b > /proc/sysrq-trigger"]


@pytest.mark.parametrize("command", COMMANDS)
def test_machine_ends(start, command):
    """QEMU runs with -no-reboot: a reset ends it as well."""
    g = start(cmdline="net=manual", nic=None).login()
    g.send(command + "\n")
    assert g.wait_exit(30) == 0


def test_network_is_no_hindrance(start):
    g = start().login()
    g.send("ping 10.0.2.2 > /dev/null &\n")
    g.send("sleep 1; poweroff\n")
    assert g.wait_exit(30) == 0


def test_halt_stops_the_machine(start):
    g = start(cmdline="net=manual", nic=None).login()
    g.send("halt\n")
    g.expect("system is going down|The system is|halt", 10)
    with pytest.raises(AssertionError):
        g.wait_exit(5)


def test_programs_are_told_to_end(start):
    g = start(cmdline="net=manual", nic=None).login()
    g.sh("(trap 'echo told to end > /dev/ttyS0; exit' TERM; while :; do sleep 0.1; done) &")
    g.send("poweroff\n")
    g.expect("told to end", 15)
    assert g.wait_exit(30) == 0
