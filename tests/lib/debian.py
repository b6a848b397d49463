# SPDX-License-Identifier: MIT
"""debian - Debian's own programs with their libraries, laid over the root file system by scripts/mkextra."""
import functools
import os
import subprocess

from guest import BUILD, TOP, alone

PACKAGES = ["bash", "curl", "dropbear-bin", "iperf3", "netcat-openbsd", "nginx-light", "openssl", "redis-server",
            "redis-tools", "socat", "wrk"]


MKEXTRA = os.path.join(TOP, "scripts/mkextra")


@functools.cache
def extra():
    """The folder with all of PACKAGES, made once."""
    where = os.path.join(BUILD, "test/debian")
    stamp = where + ".done"
    with alone("debian"):
        if os.path.exists(stamp) and os.path.getmtime(stamp) > max(map(os.path.getmtime, (MKEXTRA, __file__))):
            return where
        made = subprocess.run([MKEXTRA, "-o", where, *PACKAGES], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert made.returncode == 0, "no Debian packages to be had: " + made.stdout[-300:]
        with open(stamp, "w"):
            pass
    return where
