# SPDX-License-Identifier: MIT
"""debian - Debian's own programs with their libraries, laid over the root file system by scripts/mkextra."""
import functools
import os
import subprocess

import pytest
from guest import BUILD, TOP

PACKAGES = ["bash", "curl", "dropbear-bin", "iperf3", "netcat-openbsd", "nginx-light", "openssl", "redis-server",
            "redis-tools", "socat", "wrk"]


@functools.cache
def extra():
    """The folder with all of PACKAGES; a machine that cannot download them skips the test."""
    where = os.path.join(BUILD, "test/debian")
    made = subprocess.run([os.path.join(TOP, "scripts/mkextra"), "-o", where, *PACKAGES], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=170)
    if made.returncode:
        pytest.skip("no Debian packages to be had: " + made.stdout[-300:])
    return where
