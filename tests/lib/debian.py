# SPDX-License-Identifier: MIT
"""debian - Debian's own programs with their libraries, laid over the root file system by scripts/mkextra."""
import functools
import os
import subprocess

from guest import BUILD, TOP, alone

PACKAGES = ["bash", "curl", "dropbear-bin", "iperf3", "netcat-openbsd", "nginx-light", "openssl", "redis-server",
            "redis-tools", "socat", "wrk"]
# Those that look at networks, and run them. A shell that is BusyBox prefers its own ping to /bin/ping.
NETWORK = ["dnsmasq-base", "iputils-ping", "iputils-tracepath", "mtr-tiny", "ndisc6", "radvd", "traceroute"]
# Those that look at the machine.
TOOLS = ["curl", "dnsmasq-base", "ethtool", "inotify-tools", "iproute2", "lsof", "ncat", "tcpdump"]
# DHCPv6 clients.
DHCP = ["dibbler-client", "isc-dhcp-client"]
# Those that try to break it.
STRESS = ["stress-ng", "trinity"]
SETS = {"debian": PACKAGES, "network": NETWORK, "tools": TOOLS, "dhcp": DHCP, "stress": STRESS}

MKEXTRA = os.path.join(TOP, "scripts/mkextra")


@functools.cache
def extra(name="debian"):
    """The folder with all packages of a set, made once."""
    where = os.path.join(BUILD, "test", name)
    stamp = where + ".done"
    with alone(name):
        if os.path.exists(stamp) and os.path.getmtime(stamp) > max(map(os.path.getmtime, (MKEXTRA, __file__))):
            return where
        made = subprocess.run([MKEXTRA, "-o", where, *SETS[name]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert made.returncode == 0, "no Debian packages to be had: " + made.stdout[-300:]
        with open(stamp, "w"):
            pass
    return where
