# SPDX-License-Identifier: MIT
"""hostile - what a case of forged packets must leave behind: a machine that answers, drops that were counted under
their names, and on the wire what the RFCs want said."""
import re

from modules import drops


def check(guest, net, program, names, said, alive, timeout=60):
    """Runs a scapy program; `names` are drops that must grow, `said` a pattern of what it prints (None: anything)."""
    before = drops(guest)
    out = net.scapy(program, timeout=timeout)
    assert alive(net), "no answer to ping afterwards"
    after = drops(guest)
    for name in names:
        assert after.get(name, 0) > before.get(name, 0), f"{name} did not grow: {before} -> {after}"
    if said is not None:
        assert re.search(said, out), f"the peer saw: {out!r}"
    assert guest.proc.poll() is None
    assert "oops" not in guest.text().lower() and "panic" not in guest.text().lower()
