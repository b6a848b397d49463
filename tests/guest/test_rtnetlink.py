# SPDX-License-Identifier: MIT
"""rtnetlink by those who speak it: BusyBox's ip, and C libraries; and the module's coming and going."""
import os
import subprocess

import programs
import pytest


@pytest.fixture
def g(machine):
    return machine(extra=programs.build(), nic="e1000e")


def test_ip_link(g):
    out = g.sh("ip link")
    assert "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536" in out
    assert "2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500" in out
    assert "link/ether 52:54:00:12:34:56 brd ff:ff:ff:ff:ff:ff" in out
    assert "mtu 1400" in g.sh("ip link set eth0 mtu 1400; ip link show dev eth0")
    g.sh("ip link set eth0 mtu 1500")
    assert "Cannot find device" in g.run("ip link show dev nope")[0] or g.run("ip link show dev nope")[1] != 0
    assert g.run("ip link add dummy0 type dummy")[1] != 0
    assert g.run("ip link del eth0")[1] != 0


def test_ip_link_down_and_up(g):
    assert "<BROADCAST,MULTICAST>" in g.sh("ip link set eth0 down; ip link show dev eth0")
    assert "UP,LOWER_UP" in g.sh("ip link set eth0 up; ip link show dev eth0")
    assert "1 packets received" in g.sh("ping -c 1 10.0.2.2", 15)


def test_ip_addr(g):
    g.sh("ip addr add 192.168.7.1/24 dev eth0")
    out = g.sh("ip addr show dev eth0")
    assert "inet 10.0.2.15/24 brd 10.0.2.255 scope global eth0" in out
    assert "inet 192.168.7.1/24" in out
    out, status = g.run("ip addr add 192.168.7.1/24 dev eth0")
    assert status != 0 and "File exists" in out
    g.sh("ip addr del 192.168.7.1/24 dev eth0")
    assert "192.168.7.1" not in g.sh("ip addr; ip route")
    out, status = g.run("ip addr del 192.168.7.1/24 dev eth0")
    assert status != 0 and "Cannot assign requested address" in out
    g.sh("ip addr add 192.168.8.1/24 dev eth0 label eth0:8; ip addr flush dev eth0 label eth0:8")
    assert "192.168.8.1" not in g.sh("ip addr")


def test_ip_route(g):
    assert "default via 10.0.2.2 dev eth0" in g.sh("ip route")
    assert "10.0.2.0/24 dev eth0 scope link  src 10.0.2.15" in g.sh("ip route")
    g.sh("ip route add 172.16.0.0/12 via 10.0.2.9")
    out, status = g.run("ip route add 172.16.0.0/12 via 10.0.2.8")
    assert status != 0 and "File exists" in out
    g.sh("ip route replace 172.16.0.0/12 via 10.0.2.8")
    assert "172.16.0.0/12 via 10.0.2.8 dev eth0" in g.sh("ip route")
    assert "10.0.2.9" not in g.sh("ip route")
    assert "172.16.5.5 via 10.0.2.8 dev eth0  src 10.0.2.15" in g.sh("ip route get 172.16.5.5")
    assert "local 10.0.2.15 dev lo" in g.sh("ip route get 10.0.2.15")
    g.sh("ip route del 172.16.0.0/12")
    out, status = g.run("ip route del 172.16.0.0/12")
    assert status != 0 and "No such process" in out
    out, status = g.run("ip route add 172.16.0.0/12 via 11.0.0.1")
    assert status != 0 and "Network is unreachable" in out
    g.sh("ip route add unreachable 9.0.0.0/8; ip route add blackhole 11.0.0.0/8")
    assert "unreachable 9.0.0.0/8" in g.sh("ip route") and "blackhole 11.0.0.0/8" in g.sh("ip route")
    assert "No route to host" in g.run("ping -c 1 9.1.1.1")[0]
    g.sh("ip route del unreachable 9.0.0.0/8; ip route del blackhole 11.0.0.0/8")
    assert "broadcast 10.0.2.255 dev eth0" in g.sh("ip route show table local")


def test_ip_neigh(g):
    g.sh("ping -c 1 10.0.2.2", 15)
    assert "10.0.2.2 dev eth0 lladdr 52:55:0a:00:02:02" in g.sh("ip neigh")
    g.sh("ip neigh flush dev eth0")
    assert "lladdr" not in g.sh("ip neigh")


def test_programs_with_musl_and_glibc(machine, tmp_path):
    os.makedirs(tmp_path / "test")
    for name, compiler in (("interfaces", ["musl-gcc"]), ("interfaces.glibc", ["gcc"])):
        subprocess.run([*compiler, "-std=gnu11", "-O1", "-static", "-w", *programs.LINUX, os.path.join(programs.SOURCES, "interfaces.c"),
                        "-o", str(tmp_path / "test" / name)], check=True, stderr=subprocess.DEVNULL)
    g = machine(extra=str(tmp_path), nic="e1000e")
    for name in ("interfaces", "interfaces.glibc"):
        out, status = g.run(f"/test/{name}", 60)
        assert status == 0 and out.rstrip().endswith(" ok, 0 failed"), out


def test_many_routes_in_one_dump(g):
    g.sh("for i in $(seq 1 200); do route add -host 172.17.0.$i gw 10.0.2.2; done", 60)
    assert g.sh("ip route | grep -c ^172.17").strip() == "200"
    g.sh("for i in $(seq 1 200); do route del -host 172.17.0.$i; done", 60)
    assert g.run("ip route | grep -c ^172.17")[0].strip() == "0"


def test_the_module_comes_when_asked_and_goes_when_free(start):
    g = start(extra=programs.build(), nic="e1000e", smp=1).login().quiet()
    assert "rtnetlink" not in g.sh("lsmod")
    g.sh("ip link")
    assert "rtnetlink" in g.sh("lsmod")
    g.sh("/test/interfaces hold &")
    g.until("grep -q socket /sys/module/rtnetlink/users")
    out, status = g.run("rmmod rtnetlink", 10)
    assert status != 0
    assert "socket" in g.sh("cat /sys/module/rtnetlink/users")
    assert "rtnetlink: 1 socket" in g.sh("dmesg | tail -n 5")
    g.sh("kill %1; wait; rmmod rtnetlink")
    for _ in range(20):
        g.sh("ip addr > /dev/null; rmmod rtnetlink", 10)
