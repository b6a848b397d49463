# SPDX-License-Identifier: MIT
"""Fixtures of the guest and wire tests: machines and networks that end with the test, a time limit for each
test, and the whole serial log of every machine when a test fails."""
import glob
import os
import re
import signal
import sys
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from guest import BUILD, Guest, Netns, text_of  # noqa: E402

LIMIT = 180
# What a kernel in trouble says; a test that provokes it says so with the marker `oops`.
TROUBLE = re.compile(rb"Kernel panic|[Oo]ops|\] bug: |\] warning: |lockup")


def pytest_configure(config):
    config.addinivalue_line("markers", "limit(seconds): another time limit than the usual one")
    config.addinivalue_line("markers", "oops: the kernel is expected to complain")


def pytest_sessionstart(session):
    """Images of earlier runs are of no use once the kernel changed; young ones may be another run's."""
    for old in glob.glob(os.path.join(BUILD, "test", "*.iso")):
        if time.time() - os.path.getmtime(old) > 3600:
            os.unlink(old)


@pytest.fixture(autouse=True)
def time_limit(request):
    marker = request.node.get_closest_marker("limit")
    seconds = marker.args[0] if marker else LIMIT

    def expired(signum, frame):
        raise TimeoutError(f"the test took longer than {seconds} s")

    old = signal.signal(signal.SIGALRM, expired)
    signal.alarm(seconds)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, old)


@pytest.fixture
def start(request):
    """start(...) boots a machine (see Guest) that is stopped when the test ends."""
    guests = request.node.guests = []

    def boot(*args, **kwargs):
        guest = Guest(*args, **kwargs)
        guests.append(guest)
        return guest

    yield boot
    for guest in guests:
        guest.stop()


class Machines:
    """The machines that the tests of one file share, one for each set of arguments. Each test finds a shell
    prompt; a machine that a test left without one is started anew."""

    def __init__(self):
        self.guests = {}
        self.netns = None

    def get(self, **kwargs):
        key = repr(sorted(kwargs.items(), key=lambda item: item[0]))
        guest = self.guests.get(key)
        if guest and not guest.usable():
            guest.stop()
            guest = None
        if not guest:
            guest = self.guests[key] = Guest(**kwargs)
            guest.login(120).quiet()
        return guest

    def net(self):
        if os.geteuid() != 0:
            pytest.skip("only root makes network namespaces")
        self.netns = self.netns or Netns()
        return self.netns

    def close(self):
        for guest in self.guests.values():
            guest.stop()
        if self.netns:
            self.netns.close()


@pytest.fixture(scope="module")
def machines():
    made = Machines()
    yield made
    made.close()


@pytest.fixture
def machine(request, machines):
    """machine(...) is this file's machine of these arguments, at its prompt."""
    used = request.node.shared = []

    def get(**kwargs):
        guest = machines.get(**kwargs)
        used.append((guest, len(guest.log)))
        return guest

    yield get
    if not request.node.get_closest_marker("oops"):
        for guest, since in used:
            trouble = TROUBLE.search(guest.log, since)
            assert not trouble, guest.log[trouble.start():].decode(errors="replace")[:3000]


@pytest.fixture
def net():
    """A namespace with a TAP, for start(netns=net)."""
    if os.geteuid() != 0:
        pytest.skip("only root makes network namespaces")
    netns = Netns()
    yield netns
    netns.close()


@pytest.fixture
def wire(machines):
    """The namespace that the machines of one file share, for machine(netns=wire)."""
    return machines.net()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        for n, guest in enumerate(getattr(item, "guests", []), 1):
            report.sections.append((f"machine {n}: {' '.join(guest.command)}", guest.text()))
        for guest, since in getattr(item, "shared", []):
            report.sections.append((f"shared machine: {' '.join(guest.command)}", text_of(guest.log[since:])))
