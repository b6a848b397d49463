# SPDX-License-Identifier: MIT
"""Debian's attack tools against IPv6: thc-ipv6 and ipv6toolkit flood the link and lie about it. Afterwards the
machine answers over both versions, its tables are within their bounds and no memory is held. And floods at a
moderate rate, while which IPv4 goes on."""
import re
import signal
import subprocess
import tempfile

import net6
import pytest
from modules import drops, used_kb

GUEST4 = "10.0.2.15"
GUEST, HOST = net6.GUEST, net6.HOST
BOUNDS = {"neighbours": 1024, "addresses": 64, "routes": 512}
MEMORY_KB = 8 << 10  # tables within their bounds, pools


@pytest.fixture(scope="module")
def target(machines):
    net = machines.net()
    guest = machines.get(netns=net, mem=96)
    guest.ll = net6.setup(guest, net)
    guest.sh("ifconfig eth0 allmulti")  # nothing stays at the device's filter
    net.ll = net6.host_link_local(net)
    net.head = net6.head(guest.ll, net.ll)
    # the host itself does not believe what is said here
    net.run("for f in accept_ra accept_redirects autoconf; do echo 0 > /proc/sys/net/ipv6/conf/tap0/$f; done")
    guest.sh("modprobe tcp; modprobe udp; mkdir -p /www; echo served > /www/index.html; httpd -p 80 -h /www")
    guest.serving(80)
    guest.memory = used_kb(guest)
    return guest, net


def counts(guest):
    words = guest.sh("ip -6 neigh show | wc -l; grep -c eth0 /proc/net/if_inet6; wc -l < /proc/net/ipv6_route", 60).split()
    return dict(zip(BOUNDS, map(int, words)))


def received(guest):
    return int(guest.sh("cat /sys/class/net/eth0/statistics/rx_packets", 60))


def restart(guest):
    """What lies configured is forgotten."""
    guest.sh("echo 1 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6; echo 0 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6", 60)


def well(guest, net):
    """The guest answers, bounds hold."""
    assert guest.proc.poll() is None
    assert net6.wait_for(lambda: net.run(f"ping -c 2 -i 0.2 -W 3 {GUEST4}", 30)[1] == 0, 30), "no answer over IPv4"
    now = counts(guest)
    assert all(now[name] <= most for name, most in BOUNDS.items()), now
    assert net6.pings(net, guest.ll, 1) or net6.pings(net, guest.ll, 1), "no answer over IPv6"
    text = guest.text().lower()
    assert "oops" not in text and "panic" not in text
    return now


# name, command, how many packets must reach the guest at least, drop names that must grow. A tool goes on until it has
# sent and caused that much; what a loop of several says is waited for.
TOOLS = [
    ("flood_router26", "atk6-flood_router26 {tap}", 500, ["router_advert_bound"]),
    ("flood_router26_with_extension_headers", "atk6-flood_router26 -H -F -D {tap}", 500, ["reassembly_limit"]),
    ("flood_router6", "atk6-flood_router6 {tap}", 500, ["router_advert_bound"]),
    ("flood_advertise6", "atk6-flood_advertise6 {tap}", 500, ["neighbour_not_for_us"]),
    ("flood_solicitate6", "atk6-flood_solicitate6 {tap} {guest}", 500, []),
    ("flood_rs6", "atk6-flood_rs6 {tap}", 500, ["ignored_by_rfc"]),
    ("flood_mld6", "atk6-flood_mld6 {tap}", 500, []),
    ("flood_mld26", "atk6-flood_mld26 {tap}", 500, []),
    ("flood_mldrouter6", "atk6-flood_mldrouter6 {tap}", 500, []),
    ("flood_redir6", "atk6-flood_redir6 {tap} {guest}", 500, ["martian_destination"]),
    ("flood_unreach6", "atk6-flood_unreach6 {tap} {guest}", 500, []),
    ("fake_advertise6", "atk6-fake_advertise6 -n 20 -w 0 {tap} {host} {guest} 02:00:00:00:00:66", 20, []),
    ("fake_router26", "atk6-fake_router26 -A 2001:db8:bad::/64 -R 2001:db8:bad:1::/64 -D 2001:db8:bad::53 {tap}", 1, []),
    ("kill_router6", "atk6-kill_router6 {tap} {hostll}", 1, []),
    ("fragmentation6", "atk6-fragmentation6 -p -n 1 {tap} {guest}", 5, []),
    ("exploit6", "atk6-exploit6 {tap} {guest}", 50, []),
    ("denial6", "for n in 1 2 3 4 5 6 7; do timeout -s INT 0.5 atk6-denial6 {tap} {guest} $n; done", 100, ["bad_option"]),
    ("implementation6", "atk6-implementation6 -p {tap} {guest}", 3, []),
    ("randicmp6", "while atk6-randicmp6 -p {tap} {guest}; do :; done", 500, ["unknown_type"]),
    ("fuzz_ip6", "atk6-fuzz_ip6 -x -p 1 -IFSDHRJ {tap} {guest}", 100, []),
    ("fuzz_ip6_nd", "for k in 2 3 4 5; do timeout -s INT 1 atk6-fuzz_ip6 -x -p 1 -$k {tap} {guest}; done", 4, []),
    ("toobig6", "atk6-toobig6 -u {tap} {guest} {host} 48", 1, []),
    ("smurf6", "atk6-smurf6 {tap} {host}", 500, []),
    ("rsmurf6", "atk6-rsmurf6 {tap} {guest}", 500, ["martian_source"]),
    ("thcsyn6", "atk6-thcsyn6 {tap} {guest} 80", 500, []),
    ("toolkit_ra6", "ra6 -i {tap} -d ff02::1 --flood-sources 200 --flood-prefixes 5 -l -z 1", 100, ["router_advert_bound"]),
    ("toolkit_na6", "na6 -i {tap} -D {mac} -d {guest} --flood-targets 50 --flood-sources 20 -l -z 1 -t 2001:db8:2::/64 -c -o -E 02:00:00:00:00:01", 100, []),
    ("toolkit_ns6", "ns6 -i {tap} -D {mac} -d {guest} -t {guest} -s 2001:db8:2::/64 -F 100 -l -z 1", 100, []),
    ("toolkit_rd6", "rd6 -i {tap} -D {mac} -s {hostll} -d {guest} -t fe80::66 --redir-dest 2001:db8:9::/64 -R 50 -l -z 1", 50, []),
    ("toolkit_frag6", "frag6 -i {tap} -s {host} -d {guest} --flood-frags 500 -l -z 1", 500, ["fragment_malformed"]),
    ("toolkit_jumbo6", "jumbo6 -i {tap} -D {mac} -s {host} -d {guest} -l -z 1", 1, ["bad_option"]),
    ("toolkit_icmp6", "icmp6 -i {tap} -D {mac} -s {host} -d {guest} --icmp6-packet-too-big --mtu 500 -l -z 1", 1, []),
    ("toolkit_tcp6", "tcp6 -i {tap} -D {mac} -s 2001:db8:2::/64 -d {guest} -a 80 -X S -F 100 -l -z 1", 500, []),
]


@pytest.mark.parametrize("command,packets,names", [row[1:] for row in TOOLS], ids=[row[0] for row in TOOLS])
def test_tool(target, command, packets, names):
    guest, net = target
    before, heard = drops(guest), received(guest)
    words = command.format(tap=net.tap, mac=net.guest_mac, guest=GUEST, host=HOST, hostll=net.ll)

    def enough():
        now = drops(guest)
        return received(guest) >= heard + packets and all(now[name] > before[name] for name in names)

    with tempfile.TemporaryFile("w+") as said:
        tool = subprocess.Popen([*net.prefix, "timeout", "-s", "INT", "-k", "2", "30", "sh", "-c", words], stdin=subprocess.DEVNULL,
                                stdout=said, stderr=subprocess.STDOUT)
        try:
            tool.wait(12 if words.startswith("for ") else 1)
        except subprocess.TimeoutExpired:
            pass
        caused = net6.wait_for(enough, 25)
        tool.send_signal(signal.SIGINT)
        tool.wait(10)
        said.seek(0)
        assert caused, (command, names, received(guest) - heard, said.read()[-800:])
    well(guest, net)


def test_nothing_of_it_is_kept(target):
    """What the floods configured goes, memory is back, and everything works as before them."""
    guest, net = target
    restart(guest)
    net6.setup(guest, net)
    assert net6.pings(net, GUEST)
    now = net6.wait_for(lambda: used_kb(guest) - guest.memory < MEMORY_KB, 60, 1)
    assert now, (guest.memory, used_kb(guest))
    assert net6.wait_for(lambda: net.run(f"curl -g -s -m 10 'http://[{GUEST}]/'", 30)[0].strip() == "served", 40)
    assert net.run(f"curl -s -m 10 http://{GUEST4}/", 30)[0].strip() == "served"


def failed(guest, address):
    return net6.addresses(guest)[address][2] & net6.FLAGS["dadfailed"]


def test_no_new_address_during_dad_denial(target):
    """dos-new-ip6 answers every check: the address fails, what is there works on; then it can be had."""
    guest, net = target
    new = f"{net6.PREFIX}::beef"
    with net6.daemon(net, ["stdbuf", "-oL", "atk6-dos-new-ip6", net.tap], "Started"):
        # it has said so before it listens: what was checked too early is checked again
        for _ in range(4):
            guest.sh(f"ip -6 addr del {new}/64 dev eth0 2> /dev/null; ip -6 addr add {new}/64 dev eth0")
            if net6.wait_for(lambda: failed(guest, new) or net6.ready(guest, new), 30) and failed(guest, new):
                break
        assert failed(guest, new), net6.addresses(guest)
        assert net6.pings(net, GUEST) and net.run(f"ping -c 1 -W 5 {GUEST4}")[1] == 0
    guest.sh(f"ip -6 addr del {new}/64 dev eth0; ip -6 addr add {new}/64 dev eth0")
    assert net6.wait_for(lambda: net6.ready(guest, new), 30)
    guest.sh(f"ip -6 addr del {new}/64 dev eth0")


# name, scapy packets, drop names. Some 400 a second, for 3 seconds, beside a ping over IPv4.
FLOODS = [
    ("router_adverts", """[ra(ll(1) + prefix("2001:db8:%x::" % (0x1000 + i)), src="fe80::%x" % (i + 1)) for i in range(400)]""",
     ["router_advert_bound"]),
    ("prefixes_of_one_router", """[ra(b"".join(prefix("2001:db8:%x::" % (0x2000 + i * 20 + k)) for k in range(20)), src=HLL) for i in range(100)]""",
     ["router_advert_bound"]),
    ("solicitations_of_many", """[nd("2001:db8:2::%x" % (0x1000 + i), solicited(G), a6(G) + ll(1, "02:00:00:00:%02x:%02x" % (i >> 8, i & 255)), 135) for i in range(1200)]""", []),
    ("advertisements_of_many", """[nd("fe80::%x" % (i + 1), "ff02::1", a6("fe80::%x" % (i + 1)) + ll(2), 136, word=0x20000000) for i in range(1200)]""", []),
    ("redirects", """[nd(HLL, G, a6("fe80::%x" % (i + 1)) + a6("2001:db8:9::%x" % i) + ll(2), 137) for i in range(1200)]""", []),
    ("hop_limit_254", """[nd(HLL, G, a6(G) + ll(1), 135, hlim=254) for i in range(1200)]""", ["neighbour_hop_limit_not_255"]),
    ("listener_queries", """[E/IPv6(src=HLL, dst=G, hlim=1, nh=0)/Raw(opts(b"\\5\\2\\0\\0") + bytes(nd(HLL, G, a6("ff05::%x" % i) + b"\\2\\x7d\\0\\0", 130, hlim=1)[IPv6].payload)) for i in range(1200)]""", []),
    ("first_fragments", """[frag(b"f" * 512, 0, 1, id=i) for i in range(1200)]""", []),
    ("echo_to_everybody_on_the_prefix", """[raw6(58, echo(dst="2001:db8:2::%x" % (0x9000 + i)), dst="2001:db8:2::%x" % (0x9000 + i)) for i in range(1200)]""", []),
]


@pytest.mark.parametrize("packets,names", [row[1:] for row in FLOODS], ids=[row[0] for row in FLOODS])
def test_ipv4_is_undisturbed(target, packets, names, request):
    guest, net = target
    before = drops(guest)
    ping = subprocess.Popen([*net.prefix, "ping", "-q", "-c", "16", "-i", "0.2", "-W", "5", GUEST4], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    net.scapy(net.head + f"""
pkts = [bytes(p) for p in {packets}]
s = conf.L2socket(iface=tap)
for n, p in enumerate(pkts):
    s.send(p)
    if n % 10 == 9: time.sleep(0.02)
""", 120)
    out = ping.communicate(timeout=60)[0]
    assert int(re.search(r"(\d+) received", out)[1]) >= 15, out
    well(guest, net)
    after = drops(guest)
    for name in names:
        assert after.get(name, 0) > before.get(name, 0), f"{name} did not grow"
    if "prefixes_of_one_router" in request.node.name:
        restart(guest)
        net6.setup(guest, net)


def test_a_scan_of_the_prefix_as_router(target):
    """RFC 6583: packets for thousands of stations that do not exist, and one for one that does."""
    guest, net = target
    guest.sh("echo 1 > /proc/sys/net/ipv6/conf/all/forwarding; ip -6 addr add 2001:db8:3::1/64 dev eth0")
    assert net6.wait_for(lambda: net6.ready(guest, "2001:db8:3::1"), 30)
    net.run(f"ip -6 addr add 2001:db8:3::2/64 dev {net.tap} nodad")
    net.scapy(net.head + """
s = conf.L2socket(iface=tap)
for i in range(2000):
    d = "2001:db8:3::%x" % (0x1000 + i)
    s.send(bytes(raw6(58, echo(8, dst=d), dst=d)))
    if i % 20 == 19: time.sleep(0.01)
""", 120)
    assert int(guest.sh("ip -6 neigh show | wc -l", 60)) <= 1024
    assert "0% packet loss" in guest.sh("ping6 -c 2 -W 5 2001:db8:3::2", 60)
    well(guest, net)
    guest.sh("echo 0 > /proc/sys/net/ipv6/conf/all/forwarding; ip -6 addr del 2001:db8:3::1/64 dev eth0")


def test_it_is_all_counted(target):
    guest, _ = target
    counted = drops(guest)
    assert sum(counted.values()) > 1000
