# SPDX-License-Identifier: MIT
"""guests - the systems that are measured: Weft and Debian's Linux, each booted by GRUB from an ISO of its own with the
same user programs, BusyBox and what scripts/mkextra lays out. Made once under build/bench."""
import hashlib
import os
import re
import shutil
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests/lib"))
from guest import BUILD, make_iso  # noqa: E402

WORK = os.path.join(BUILD, "bench")
PROGRAMS = os.path.join(BUILD, "bench/programs")
PACKAGES = ["iperf3", "nginx-light", "sockperf"]
NICS = {"e1000": "e1000", "e1000e": "e1000e", "virtio": "virtio-net-pci"}
MODULES = {"e1000": ["e1000"], "e1000e": ["pps_core", "ptp", "e1000e"],
           "virtio": ["virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci",
                      "failover", "net_failover", "virtio_net"]}
# What Debian's defaults cost under software emulation, taken away: the opponent that counts.
TUNED = "init_on_alloc=0 mitigations=off"
LINUX_INIT = """#!/bin/sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t tmpfs tmp /tmp
for m in %s; do [ -e /mods/$m.ko ] && /bin/busybox insmod /mods/$m.ko; done
/bin/busybox ifconfig lo 127.0.0.1 up
/bin/busybox ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
cd /
PS1='# ' exec /bin/busybox setsid -c /bin/busybox sh </dev/ttyS0 >/dev/ttyS0 2>&1
"""
NGINX = """daemon on; worker_processes 1; error_log /dev/null; pid /tmp/nginx.pid;
events { worker_connections 1024; }
http { access_log off; server { listen 8080; root /www; } keepalive_requests 1000000; }
"""


def sh(command, **kw):
    return subprocess.run(command, shell=True, check=True, stdout=subprocess.PIPE, text=True, **kw).stdout


def programs():
    """The folder with the servers of the network measurements, the same for every guest."""
    if not os.path.isdir(PROGRAMS):
        sh(f"{TOP}/scripts/mkextra -o {PROGRAMS}.new {' '.join(PACKAGES)}")
        for d in ("www", "etc"):
            os.makedirs(os.path.join(PROGRAMS + ".new", d), exist_ok=True)
        with open(PROGRAMS + ".new/www/page", "w") as f:
            f.write("x" * 1024)
        with open(PROGRAMS + ".new/etc/bench-nginx.conf", "w") as f:
            f.write(NGINX)
        os.rename(PROGRAMS + ".new", PROGRAMS)
    return PROGRAMS


def weft_iso(extra=False, entry="auto"):
    return make_iso(entry=entry, extra=programs() if extra else None)


def linux_kernel():
    """The unpacked package of Debian's present kernel."""
    package = re.search(r"Depends: (linux-image-\S+)", sh("apt-cache depends linux-image-amd64"))[1]
    unpacked = os.path.join(WORK, package)
    if not os.path.exists(unpacked):
        sh(f"cd {WORK} && apt-get download -qq {package} && dpkg-deb -x {package}_*.deb {package}.new && "
           f"rm {package}_*.deb && mv {package}.new {package}")
    return unpacked, package[len("linux-image-"):]


def linux_root(root, nic, unpacked, extra):
    shutil.rmtree(root, ignore_errors=True)
    for d in ("bin", "sbin", "usr/bin", "usr/sbin", "proc", "sys", "dev", "tmp", "mods", "etc", "var/log"):
        os.makedirs(os.path.join(root, d))
    shutil.copy("/bin/busybox", os.path.join(root, "bin"))
    for applet in sh("/bin/busybox --list").split():
        if applet != "busybox":
            os.symlink("busybox", os.path.join(root, "bin", applet))
    if extra:
        sh(f"cp -a {programs()}/. {root}/")
    for m in MODULES[nic]:
        for path in sh(f"find {unpacked}/lib/modules -name {m}.ko").split():  # none: built in
            shutil.copy(path, os.path.join(root, "mods"))
    with open(os.path.join(root, "init"), "w") as f:
        f.write(LINUX_INIT % " ".join(MODULES[nic]))
    os.chmod(os.path.join(root, "init"), 0o755)


def linux_iso(nic, extra=False, append=""):
    """A GRUB image of Debian's kernel with BusyBox, the one driver and, with extra, the measured programs."""
    key = hashlib.sha256(f"{nic} {extra} {append} {LINUX_INIT}".encode()).hexdigest()[:10]
    iso, tree, root = (os.path.join(WORK, f"{kind}-{nic}-{key}") for kind in ("linux", "tree", "root"))
    iso += ".iso"
    if os.path.exists(iso):
        return iso
    unpacked, version = linux_kernel()
    linux_root(root, nic, unpacked, extra)
    shutil.rmtree(tree, ignore_errors=True)
    os.makedirs(os.path.join(tree, "boot/grub"))
    shutil.copy(f"{unpacked}/boot/vmlinuz-{version}", f"{tree}/boot/vmlinuz")
    sh(f"{TOP}/scripts/mkcpio -o {tree}/boot/initrd {root}")
    with open(os.path.join(tree, "boot/grub/grub.cfg"), "w") as f:
        f.write(f"set timeout=0\nmenuentry linux {{\n linux /boot/vmlinuz console=ttyS0 quiet {append}\n"
                " initrd /boot/initrd\n}\n")
    sh(f"grub-mkrescue -o {iso}.new {tree} 2>/dev/null && mv {iso}.new {iso}")
    return iso
