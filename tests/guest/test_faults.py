# SPDX-License-Identifier: MIT
"""Programs that misbehave end alone: the kernel says one line about it, and everybody else goes on."""
import programs
import pytest
from guest import wait_for


@pytest.fixture
def g(machine):
    return machine(cmdline="net=manual", extra=programs.build(), mem=128)


def free_kib(g):
    return int(g.sh("free -k").split("Mem:")[1].split()[2])


def test_faulting_programs_get_their_signals(g):
    out, status = g.run("/test/faults", 120)
    failures = [line for line in out.splitlines() if not line.startswith("ok ")]
    assert status == 0 and failures[-1].endswith(" ok, 0 failed"), "\n".join(failures)


def test_a_fault_is_one_line_in_dmesg(g):
    g.sh("sleep 6; dmesg -c > /dev/null")  # the kernel's rate limit has room again
    assert "ok null_read" in g.sh("/test/faults null_read")
    lines = [line for line in g.sh("dmesg").splitlines() if "faults[" in line]
    assert len(lines) == 1 and " at 8 ip " in lines[0].replace("0000000000000008", "8")


def test_shell_reports_the_crash(g):
    assert "Segmentation fault" in g.run("sh -c 'kill -SEGV $$'")[0]
    assert g.run("sh -c 'kill -SEGV $$'")[1] == 128 + 11


@pytest.mark.limit(300)
@pytest.mark.parametrize("who", ["", "user"])
def test_no_system_call_trusts_its_arguments(g, who):
    out, status = g.run(f"/test/fuzzcalls 20260 300 {who}", 280)
    assert status == 0 and "done" in out, out
    assert "FAIL" not in out, out
    g.sh("echo still here > /tmp/x && cat /tmp/x && ps")


@pytest.mark.limit(240)
def test_damaged_elf_files_are_refused_or_die(g):
    out = g.sh("/test/badelf /test/tiny 41 2500", 220)
    assert "ok truncated" in out and "ok damaged" in out


@pytest.mark.parametrize("what", ["descriptors", "pipes", "sockets", "datagrams", "threads", "mappings", "files", "processes"])
def test_exhaustion_harms_nobody_else(g, what):
    out, status = g.run(f"/test/exhaust {what}", 90)
    assert "ok " in out or status > 128, f"status {status}: {out}"
    g.sh("i=0; while [ $i -lt 10 ]; do /bin/busybox true || exit 1; i=$((i+1)); done")


def test_memory_hog_is_killed_and_the_shell_lives(g):
    pid = g.sh("echo $$").strip()
    out, status = g.run("/test/exhaust memory", 90)
    assert status == 128 + 9 or "ok mmap" in out, out
    assert g.sh("echo $$").strip() == pid
    assert "out of memory: killing" in g.sh("dmesg") or "ok mmap" in out
    assert wait_for(lambda: free_kib(g) > 60_000, 60), "its memory did not come back"


def test_deep_pipeline(g):
    line = "echo deep" + " | cat" * 60
    assert g.sh(line, 60) == "deep\n"


AGAIN = "echo 'sh /tmp/again' > /tmp/again; chmod 644 /tmp/again; dmesg -c > /dev/null"


def test_a_limit_ends_recursion_of_shells(g):
    g.sh(AGAIN)
    out, status = g.run("(ulimit -u 60; su nobody -s /bin/sh -c 'sh /tmp/again')", 60)
    assert status != 0 and "Resource temporarily unavailable" in out, out
    assert "out of memory" not in g.sh("dmesg")


def test_memory_limits_the_number_of_threads(g):
    most = int(g.sh("cat /proc/sys/kernel/threads-max"))
    assert most == int(g.sh("grep MemTotal /proc/meminfo").split()[1]) // 128
    assert int(g.sh("ulimit -u")) == most // 2
    out, status = g.run("echo 20 > /proc/sys/kernel/threads-max; sh -c 'for i in $(seq 30); do sleep 2 & done; wait'")
    g.sh(f"echo {most} > /proc/sys/kernel/threads-max")
    assert status != 0 and "Resource temporarily unavailable" in out, out


@pytest.fixture
def unlimited(g):
    most = g.sh("cat /proc/sys/kernel/threads-max")
    g.sh("echo 32768 > /proc/sys/kernel/threads-max")
    yield
    g.sh(f"echo {most} > /proc/sys/kernel/threads-max")


@pytest.mark.limit(360)
@pytest.mark.parametrize("command", ["ulimit -u 32768; su nobody -s /bin/sh -c 'sh /tmp/again'", "sh /tmp/again"], ids=["nobody", "root"])
def test_runaway_recursion_of_shells(g, unlimited, command):
    """Until memory is used up. Who is killed then is one of those that ran away, not the shell that waits for them,
    although that may be larger than each of them."""
    g.sh(AGAIN)
    pid = g.sh("echo $$")
    for _ in range(3):
        g.run(f"({command}) > /dev/null 2>&1", 90)
        assert g.sh("echo $$") == pid
    assert wait_for(lambda: free_kib(g) > 60_000, 60), "their memory did not come back"
