#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""programs - the C programs of tests/guest/programs, built statically with musl, which run on any Linux kernel:
so the same program tells what Linux does and what Weft does."""
import functools
import glob
import os
import subprocess

from guest import BUILD, TOP, alone

SOURCES = os.path.join(TOP, "tests/guest/programs")
ROOT = os.path.join(BUILD, "test/programs")
# Linux's own headers, behind the C library's
LINUX = ["-idirafter", "/usr/include", "-idirafter", "/usr/include/x86_64-linux-gnu"]
BARE = {"tiny"}  # no C library: the smallest program that an ELF loader takes


def names():
    return sorted(f[:-2] for f in os.listdir(SOURCES) if f.endswith(".c"))


def path(name):
    return os.path.join(ROOT, "test", name)


@functools.cache
def build():
    """The folder to lay over the root file system: every program as /test/NAME."""
    with alone("programs"):
        build_all()
    return ROOT


def build_all():
    os.makedirs(os.path.join(ROOT, "test"), exist_ok=True)
    for name in names():
        source = os.path.join(SOURCES, name + ".c")
        newest = max(os.path.getmtime(f) for f in (source, *glob.glob(os.path.join(SOURCES, "*.h"))))
        if os.path.exists(path(name)) and os.path.getmtime(path(name)) > newest:
            continue
        flags = ["-nostdlib", "-ffreestanding", "-z", "max-page-size=4096"] if name in BARE else ["-pthread"]
        subprocess.run(["gcc" if name in BARE else "musl-gcc", "-std=gnu11", "-O1", "-static", "-fno-pie", "-no-pie", "-s",
                        "-Wall", "-Wextra", "-Wno-unused-parameter", "-Wno-restrict", "-Wno-stringop-overread", "-Wno-stringop-overflow", "-fno-strict-aliasing",
                        "-fcf-protection=none", *flags, *LINUX, source, "-o", path(name)], check=True)


if __name__ == "__main__":  # scripts/run --extra $(tests/lib/programs.py)
    print(build())
