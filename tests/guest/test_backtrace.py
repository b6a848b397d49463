# SPDX-License-Identifier: MIT
"""Backtraces name every caller across module and kernel, up to the thread's start or its system call: from a
warning, a fault, a call to nowhere, a panic and a stack that is full."""
import re

import pytest
from modules import outside

LINE = re.compile(r"^(?:\[ *\d+\.\d+\] )? \[[0-9a-f]{16}\] (.*)$", re.M)


def chains(text):
    """Lists of names, one for each run of backtrace lines; "init" stands for code that is freed after a module's
    start."""
    lists, last = [], -2
    for number, line in enumerate(text.splitlines()):
        if match := LINE.match(line):
            if number != last + 1:
                lists.append([])
            lists[-1].append(re.sub(r"\+0x\S+", "", match[1]))
            last = number
    return lists


def is_system_call(chain):
    return chain[-2:] == ["syscall_dispatch", "syscall_entry"] and not any("?" in name or not name for name in chain)


@pytest.fixture
def log(machine):
    """log(where, command): the chains that the kernel told after crasher was loaded so and the command has run."""
    def chains_of(where, command, count=1):
        g = machine(entry="manual", extra=outside("crasher"), mem=80 + len(where))
        g.run(f"dmesg -c > /dev/null; insmod /lib/outside/crasher.ko where={where}", 15)
        g.run(command, 15)
        g.until(f"[ $(dmesg | grep -c 'thread_entry+\\|syscall_entry+') -ge {count} ]")
        return chains(g.sh("dmesg"))

    return chains_of


@pytest.mark.oops
def test_from_a_module_s_thread_to_its_start(log):
    assert log("thread", "true") == [["crash_here [crasher]", "thread_fn [crasher]", "kthread_main", "thread_entry"]]


@pytest.mark.oops
def test_from_a_module_s_init(log):
    chain, = log("init", "true")
    assert chain[:3] == ["crash_here [crasher]", "init [crasher]", "module_load"] and is_system_call(chain), chain


@pytest.mark.oops
def test_from_a_warning_and_from_a_call_to_nowhere(log):
    warning, nowhere = log("nothing", "(echo warn > /proc/crasher); (echo nowhere > /proc/crasher)", 2)
    assert warning[:3] == ["middle [crasher]", "file_write [crasher]", "node_write"] and is_system_call(warning), warning
    assert nowhere == [""] + warning


def panic_chain(start, word):
    g = start(cmdline="panic=exit", entry="manual", extra=outside("crasher")).login(60)
    g.run("insmod /lib/outside/crasher.ko where=nothing", 15)
    g.send(f"echo {word} > /proc/crasher\n")
    g.wait_exit(60)
    text = g.text()
    assert "Kernel panic: " in text and "end of panic: " in text, text[-2000:]
    return text, chains(text.split("Kernel panic: ")[1])[0]


@pytest.mark.oops
def test_from_a_panic(start):
    _, chain = panic_chain(start, "panic")
    assert chain[:3] == ["panic", "middle [crasher]", "file_write [crasher]"] and is_system_call(chain), chain


@pytest.mark.oops
def test_from_the_stack_of_a_fault_to_the_stack_that_is_full(start):
    text, chain = panic_chain(start, "deep")
    assert "end of panic: kernel stack overflow" in text
    assert chain[:2] == ["panic", "trap_dispatch"] and chain[2].startswith("trap_common_ist"), chain
    assert len(chain) > 20 and set(chain[3:]) == {"recurse [crasher]"}, chain
