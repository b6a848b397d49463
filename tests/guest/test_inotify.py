# SPDX-License-Identifier: MIT
"""Debian's inotify-tools and others that want to hear what happens to files."""
import re

import debian
import pytest


@pytest.fixture
def box(machine):
    guest = machine(extra=debian.extra("tools"), mem=512)
    yield guest
    guest.run("killall inotifywait inotifywatch dnsmasq tail 2>/dev/null; wait; umount /tmp/m 2>/dev/null; rm -rf /tmp/*")


def wait(box, options):
    """inotifywait, watching already; it prints to /tmp/out."""
    box.sh(f"(inotifywait -m --format '%w %e %f %c' {options} > /tmp/out 2> /tmp/err &)")
    box.until("grep -q established /tmp/err")


def said(box, last):
    """What it has said by the time it said `last`."""
    box.until(f"grep -q '{last}' /tmp/out")
    return box.sh("cat /tmp/out").splitlines()


def test_a_tree(box):
    """Names, contents and attributes, with a directory that is made while it watches."""
    box.sh("mkdir /tmp/w")
    wait(box, "-r /tmp/w")
    box.sh("echo hello > /tmp/w/a; cat /tmp/w/a > /dev/null; mv /tmp/w/a /tmp/w/b; mkdir /tmp/w/d")
    said(box, "CREATE,ISDIR d")
    box.until(": > /tmp/w/d/heard; grep -q '^/tmp/w/d/ ' /tmp/out")
    box.sh("rm /tmp/w/d/heard; mv /tmp/w/b /tmp/w/d/c; ln /tmp/w/d/c /tmp/w/e; chmod 600 /tmp/w/e; rm /tmp/w/d/c; rmdir /tmp/w/d")
    lines = [line for line in said(box, "DELETE,ISDIR d") if "ISDIR" not in line or "CREATE" in line or "DELETE" in line]
    cookies = {line.split()[-1] for line in lines if "MOVED" in line}
    assert len(cookies) == 2 and "0" not in cookies
    plain = [re.sub(r" \d+$", "", line) for line in lines]
    assert plain[:9] == ["/tmp/w/ CREATE a", "/tmp/w/ OPEN a", "/tmp/w/ MODIFY a", "/tmp/w/ CLOSE_WRITE,CLOSE a", "/tmp/w/ OPEN a",
                         "/tmp/w/ ACCESS a", "/tmp/w/ CLOSE_NOWRITE,CLOSE a", "/tmp/w/ MOVED_FROM a", "/tmp/w/ MOVED_TO b"]
    rest = ["/tmp/w/ MOVED_FROM b", "/tmp/w/d/ MOVED_TO c", "/tmp/w/ CREATE e", "/tmp/w/ ATTRIB e", "/tmp/w/d/ DELETE c",
            "/tmp/w/ DELETE,ISDIR d"]
    assert [line for line in plain[9:] if line in rest] == rest


def test_file_and_mount_end(box):
    """A removed file's and an unmounted file system's watches end; neither keeps what it watched."""
    box.sh("mkdir -p /tmp/m; echo x > /tmp/f; mount -t tmpfs none /tmp/m; echo x > /tmp/m/g")
    wait(box, "-e delete_self -e unmount /tmp/f /tmp/m/g")
    box.sh("exec 9< /tmp/f; rm /tmp/f; umount /tmp/m")
    assert not any("/tmp/f DELETE_SELF" in line for line in said(box, "/tmp/m/g UNMOUNT"))
    box.sh("exec 9<&-")
    said(box, "/tmp/f DELETE_SELF")


def test_statistics_of_many(box):
    """Four shells on all processors; no event is lost, none is made up."""
    box.sh("mkdir /tmp/s; (inotifywatch -e create,delete,moved_to /tmp/s > /tmp/out 2> /tmp/err &)")
    box.until("grep -q Finished /tmp/err")
    box.sh("for w in 1 2 3 4; do (i=0; while [ $i -lt 100 ]; do i=$((i+1)); : > /tmp/s/$w.$i; mv /tmp/s/$w.$i /tmp/s/m$w.$i;"
           " rm /tmp/s/m$w.$i; done) & done; wait", 100)
    box.sh("killall inotifywatch; wait")
    box.until("! pidof inotifywatch")
    head, row = box.sh("cat /tmp/out").splitlines()[-2:]
    counts = dict(zip(head.split(), row.split()))
    assert [counts[k] for k in ("create", "moved_to", "delete")] == ["400"] * 3


def test_tail_follows(box):
    box.sh("echo one > /tmp/t; (tail -f /tmp/t > /tmp/out &)")
    box.until("grep -q one /tmp/out")
    box.sh("echo two >> /tmp/t")
    box.until("grep -q two /tmp/out")


def test_dnsmasq_reads_its_servers_anew(box):
    """It watches the directory of its resolv.conf, which is new when its second is another."""
    box.sh("mkdir /tmp/etc; echo nameserver 10.0.2.7 > /tmp/etc/resolv.conf; dnsmasq -C /dev/null -u root --resolv-file=/tmp/etc/resolv.conf"
           " --log-facility=/tmp/d.log --pid-file=/tmp/d.pid")
    box.until("grep -q 'nameserver 10.0.2.7' /tmp/d.log")
    box.sh("sleep 1; echo nameserver 10.0.2.8 > /tmp/etc/new; mv /tmp/etc/new /tmp/etc/resolv.conf")
    box.until("grep -q 'nameserver 10.0.2.8' /tmp/d.log")


def test_limits_are_settings(box):
    out = box.sh("cd /proc/sys/fs/inotify; grep . *")
    values = dict(line.split(":") for line in out.split())
    assert values["max_queued_events"] == "16384" and values["max_user_instances"] == "128" and int(values["max_user_watches"]) >= 8192
    out, _ = box.run("cd /proc/sys/fs/inotify; echo 0 > max_user_watches; inotifywait -t 1 /tmp 2>&1; echo 8192 > max_user_watches")
    assert "max_user_watches" in out or "upper limit" in out, out
