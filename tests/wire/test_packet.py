# SPDX-License-Identifier: MIT
"""Packet sockets: a capture sees what is on the wire, ARP and DHCP tools work in both roles, the module names its
users."""
import subprocess
import time

import programs
import pytest
from modules import memory


@pytest.fixture
def guest(machine, wire):
    return machine(netns=wire, nic="e1000e", extra=programs.build())


def test_program(guest):
    out, status = guest.run("/test/packetsock", 60)
    failures = [line for line in out.splitlines() if not line.startswith("ok ")]
    assert status == 0 and failures[-1].endswith(" ok, 0 failed"), "\n".join(failures)


def frames(guest, heard):
    """The captured frames once so many were received: [(pkttype, length, hex of the first bytes)]."""
    for _ in range(50):
        rows = [line.split()[1:] for line in guest.sh("cat /tmp/cap").splitlines() if line.startswith("frame")]
        if sum(row[0] != "4" for row in rows) >= heard:
            guest.sh("kill %1; rm /tmp/cap")
            return [(int(kind), int(length), data) for kind, length, data in rows]
        time.sleep(0.1)
    raise AssertionError(f"not {heard} frames came: {rows}")


def capture(guest, count, *args):
    guest.sh(f"/test/packetsock capture eth0 {count} {' '.join(args)} > /tmp/cap &")
    guest.until("grep listening /tmp/cap")


def test_a_capture_has_the_bytes_of_the_wire(guest, wire):
    capture(guest, 1000, "arp")
    sent = wire.scapy("""
out = []
for who in ("10.0.2.15", "10.0.2.99"):
    p = Ether(src="52:54:00:aa:00:02", dst="ff:ff:ff:ff:ff:ff") / ARP(op=1, hwsrc="52:54:00:aa:00:02", psrc="10.0.2.2", pdst=who)
    out.append(p)
out.append(Ether(src="52:54:00:aa:00:02", dst="02:00:00:00:00:77") / ARP(op=2, hwsrc="52:54:00:aa:00:02", psrc="10.0.2.2",
           hwdst="02:00:00:00:00:77", pdst="10.0.2.77"))
sendp(Ether(dst="02:00:00:00:00:77") / IP(dst="10.0.2.77") / ICMP())
for p in out:
    sendp(p)
    print(bytes(p).hex())
""").split()
    got = frames(guest, 3)
    heard = [row for row in got if row[0] != 4]
    assert [row[2][:84] for row in heard] == [p[:84] for p in sent], got
    assert [row[0] for row in heard] == [1, 1, 3]  # broadcast, broadcast, for another station
    answers = [row[2] for row in got if row[0] == 4 and row[2][40:44] == "0002"]
    assert len(answers) == 1 and answers[0].startswith("525400aa0002" "525400123456" "0806")


def test_a_capture_keeps_up_with_its_wire(guest, wire):
    capture(guest, 1000)
    wire.run("ping -q -i 0.004 -c 200 -s 1000 10.0.2.15", 60)
    seen = []
    for _ in range(50):
        seen = [int(guest.sh(f"grep -c '^frame {kind} 1042 ' /tmp/cap; true")) for kind in (0, 4)]
        if sum(seen) >= 400:
            break
        time.sleep(0.1)
    guest.sh("kill %1; rm /tmp/cap")
    assert seen == [200, 200]


def test_arping(guest, wire):
    out = guest.sh("arping -c 3 -I eth0 10.0.2.2", 20)
    assert f"reply from 10.0.2.2 [{wire.host_mac}]" in out and "Received 3 response(s)" in out, out
    out, status = guest.run("arping -c 2 -w 2 -I eth0 10.0.2.99", 20)
    assert status != 0 and "Received 0 response(s)" in out, out
    out, status = guest.run("arping -D -c 1 -I eth0 10.0.2.2", 20)
    assert status != 0, "the address is taken: " + out


UDHCPD = """interface {nic}
start 10.0.2.100
end 10.0.2.110
lease_file {leases}
pidfile {pid}
option subnet 255.255.255.0
option router 10.0.2.{router}
option dns 10.0.2.53 10.0.2.54
option domain weft.test
option lease 600
"""


def test_a_lease_from_a_server_on_the_wire(start, net, tmp_path):
    conf = tmp_path / "udhcpd.conf"
    conf.write_text(UDHCPD.format(nic=net.tap, leases=tmp_path / "leases", pid=tmp_path / "pid", router=2))
    (tmp_path / "leases").touch()
    server = subprocess.Popen([*net.prefix, "/bin/busybox", "udhcpd", "-f", str(conf)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        g = start(plain=False, netns=net, nic="e1000e").login()
        address = g.until("ifconfig eth0 | sed -n 's/.*inet addr:\\([^ ]*\\).*/\\1/p' | grep .").strip()
        assert address.startswith("10.0.2.1") and 100 <= int(address.split(".")[3]) <= 110, g.sh("dmesg | tail")
        assert net.run(f"ping -c 2 -i 0.2 -W 2 {address}")[1] == 0
        assert g.until("grep search /etc/resolv.conf") == "search weft.test\n"
        assert g.sh("grep name /etc/resolv.conf") == "nameserver 10.0.2.53\nnameserver 10.0.2.54\n"
        assert g.until("route -n | grep ^0.0.0.0").split()[1] == "10.0.2.2"
    finally:
        server.terminate()
        server.wait(5)


def test_weft_gives_leases_itself(start, net):
    g = start(netns=net, nic="e1000e").login()
    conf = UDHCPD.format(nic="eth0", leases="/tmp/leases", pid="/tmp/pid", router=15)
    g.sh("cat > /tmp/udhcpd.conf <<'END'\n" + conf + "END")
    g.sh("touch /tmp/leases; udhcpd -f /tmp/udhcpd.conf > /tmp/log 2>&1 &")
    g.serving(67, protocol="udp")
    out, _ = net.run(f"/bin/busybox udhcpc -n -q -f -t 5 -T 3 -i {net.tap} -s /bin/true 2>&1", 60)
    assert "lease of 10.0.2.1" in out and "obtained from 10.0.2.15" in out, out + g.sh("cat /tmp/log")


def test_the_module_comes_when_asked_and_goes_when_free(start, net):
    g = start(netns=net, nic="e1000e", extra=programs.build()).login().quiet()
    assert "packet" not in g.sh("lsmod")
    g.sh("/test/packetsock capture eth0 1000 > /tmp/cap &")
    g.until("grep listening /tmp/cap")
    assert "packet" in g.sh("lsmod")
    assert g.run("rmmod packet", 10)[1] != 0
    assert "packet: 1 socket" in g.sh("dmesg | tail -n 5")
    assert "socket" in g.sh("cat /sys/module/packet/users")
    assert g.sh("sed 1d /proc/net/packet").split()[2:6] == ["3", "0003", "2", "1"]
    g.sh("kill %1; wait; rmmod packet")
    g.sh("/test/packetsock capture eth0 1000 > /tmp/out 2>&1 &")
    g.until("grep listening /tmp/out && [ $(cat /sys/module/packet/initstate) = live ]")
    g.sh("rmmod -f packet; wait", 10)
    assert net.run("ping -c 2 -i 0.2 -W 2 10.0.2.15")[1] == 0


@pytest.mark.limit(240)
def test_captures_come_and_go_under_a_flood(start, net):
    """Taps, filters and memberships made and torn out while frames pass through them on both processors."""
    g = start(netns=net, nic="e1000e", smp=2, extra=programs.build()).login().quiet()
    flood = subprocess.Popen([*net.prefix, "ping", "-f", "-q", "-s", "400", "10.0.2.15"], stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    g.sh("cat > /tmp/round <<'END'\n"
         "for i in 1 2 3; do /test/packetsock capture eth0 100000 > /dev/null & done\n"
         "/test/packetsock capture eth0 100000 arp > /dev/null &\n"
         "n=0; until [ $(cat /sys/module/packet/initstate)$(sed 1d /proc/net/packet | wc -l) = live4 ] || [ $n = 60 ]; do sleep 0.1; n=$((n+1)); done\n"
         "[ $n = 60 ] && exit 3  # one of them was refused its socket\n"
         "[ $1 = force ] && { rmmod -f packet || exit 1; }\n"
         "kill $(jobs -p) 2> /dev/null; wait\n"
         "[ $1 = force ] || rmmod packet || exit 2\n"
         "END")
    try:
        for kind in ("kind", "force"):
            g.sh(f"sh /tmp/round {kind} 2> /dev/null", 30)
            before = memory(g)
            for _ in range(10):
                out, status = g.run(f"sh /tmp/round {kind}", 30)
                assert status == 0, out + g.sh("dmesg | tail")
            after = memory(g)
            assert abs(after["objects"] - before["objects"]) < 60, (before, after)
            assert after["packets"] <= before["packets"] + 70, (before, after)
    finally:
        flood.terminate()
        flood.wait(5)
    assert g.sh("ip link show dev eth0").find("PROMISC") < 0
    assert net.run("ping -c 3 -i 0.2 -W 2 10.0.2.15")[1] == 0
