# SPDX-License-Identifier: MIT
"""What programs may ask of the kernel: each program of tests/guest/programs prints a line for each case that
it checks (processes, signals, threads, memory, files, pipes and polls, sockets, terminals)."""
import programs
import pytest

SEMANTIC = ["processes", "signals", "threads", "memory", "files", "polling", "unixsock", "unixrare", "ptys", "events", "splicing",
            "timers"]


@pytest.mark.parametrize("name", SEMANTIC)
def test_program(machine, name):
    g = machine(cmdline="net=manual", extra=programs.build())
    out, status = g.run(f"/test/{name}", 150)
    failures = [line for line in out.splitlines() if not line.startswith("ok ")]
    assert status == 0 and failures[-1].endswith(" ok, 0 failed"), "\n".join(failures)
    assert g.sh("ps | grep -c '[/]test/'; true").strip() == "0", "processes were left behind"
