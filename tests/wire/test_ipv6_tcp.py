# SPDX-License-Identifier: MIT
"""TCP and UDP over IPv6 with programs that people use: curl, wget, BusyBox's httpd, Debian's nginx and iperf3; both
versions on one socket; and QEMU's user-mode network, whose router configures the guest."""
import json
import re
import subprocess
import sys

import debian
import net6
import pytest

GUEST, HOST, GUEST4 = net6.GUEST, net6.HOST, "10.0.2.15"
SERVER = """
import http.server, socket, sys
class S(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"0123456789abcdef" * int(self.path[1:] or 1)
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
    def log_message(self, *a): pass
s = S((sys.argv[1], int(sys.argv[2])), H)
print("listens", s.server_address[1], flush=True)
s.serve_forever()
"""


@pytest.fixture
def guest(machine, wire):
    g = machine(netns=wire, extra=debian.extra(), mem=384)
    g.ll = net6.setup(g, wire)
    return g


def curl(net, address, more="", timeout=60):
    return net.run(f"curl -g -s -m {timeout} {more} 'http://{address}/'", timeout + 10)[0]


def test_httpd(guest, wire):
    guest.sh("mkdir -p /www; echo served > /www/index.html; httpd -p 80 -h /www")
    for address in f"[{GUEST}]", GUEST4, f"[{guest.ll}%25{wire.tap}]":
        assert net6.wait_for(lambda: curl(wire, address, timeout=10).strip() == "served", 30), address
    guest.sh("killall httpd")


def test_wget(guest, wire):
    with net6.daemon(wire, [sys.executable, "-c", SERVER, HOST, "8000"], "listens"):
        out = guest.sh(f"wget -q -O - http://[{HOST}]:8000/65536 | md5sum", 60)
        want = subprocess.run(["md5sum"], input=b"0123456789abcdef" * 65536, capture_output=True).stdout.decode()
        assert out == want


def test_nginx(guest, wire):
    guest.sh("""mkdir -p /tmp/n /www; head -c 3000000 /dev/zero > /www/index.html; cat > /tmp/n/conf <<'END'
daemon on; pid /tmp/n/pid; error_log /tmp/n/err; events {}
http { access_log off; client_body_temp_path /tmp/n; proxy_temp_path /tmp/n; fastcgi_temp_path /tmp/n; uwsgi_temp_path /tmp/n; scgi_temp_path /tmp/n;
 server { listen [::]:8080 ipv6only=off; root /www; } }
END""")
    guest.sh("nginx -c /tmp/n/conf -e /tmp/n/err", 60)
    for address in f"[{GUEST}]:8080", f"{GUEST4}:8080":
        assert net6.wait_for(lambda: curl(wire, address, "-o /dev/null -w '%{http_code} %{size_download}'") == "200 3000000", 60), address
    guest.sh("kill $(cat /tmp/n/pid)")
    guest.until("! pidof nginx")


@pytest.mark.parametrize("more", ["", "-R", "-u -b 5M", "-u -b 5M -R", "-P 4"], ids=["tcp", "tcp_reverse", "udp", "udp_reverse", "four_streams"])
def test_iperf3(guest, wire, more):
    guest.sh("pidof iperf3 > /dev/null || iperf3 -s -D", 60)
    guest.serving(5201)
    out, status = wire.run(f"iperf3 -6 -c {GUEST} -t 2 -J {more}", 90)
    result = json.loads(out)
    assert status == 0 and "error" not in result, out[-500:]
    end = result["end"]
    assert (end.get("sum_received") or end["sum"])["bytes"] > 100000, end


def test_a_socket_for_both_versions(guest, wire):
    """What Linux prints for an IPv4 peer of an AF_INET6 socket: netstat of a listener on [::]."""
    guest.sh("mkdir -p /www; httpd -p 81 -h /www")
    guest.serving(81)
    out = guest.sh("netstat -ltn")
    assert re.search(r":::81 +:::\\*", out) or re.search(r":::81", out), out
    guest.sh("killall httpd")


def test_module_leaves_under_a_connection(guest, wire):
    """A transfer over IPv6 while the module is reloaded goes on from where it was."""
    with net6.daemon(wire, [sys.executable, "-c", SERVER, HOST, "8001"], "listens"):
        guest.sh(f"(wget -q -O - http://[{HOST}]:8001/4000000 | wc -c > /tmp/count; echo end >> /tmp/count) & sleep 0.5")
        guest.sh("rmmod ipv6; sleep 0.3; modprobe ipv6")
        net6.setup(guest, wire)
        assert net6.wait_for(lambda: "end" in guest.sh("cat /tmp/count"), 100, 1)
        assert guest.sh("head -1 /tmp/count").strip() == "64000000"


def test_user_mode_network(machine):
    """QEMU's own router: an address by its prefix, the host behind it, name resolution aside."""
    guest = machine(plain=False)
    net6.load(guest)
    assert net6.wait_for(lambda: any(a.startswith("fec0:") for a in net6.addresses(guest)), 60), guest.sh("cat /proc/net/if_inet6")
    assert net6.wait_for(lambda: guest.run("ping6 -c 1 -W 3 fec0::2", 20)[1] == 0, 30)
    server = subprocess.Popen([sys.executable, "-c", SERVER, "::1", "0"], stdout=subprocess.PIPE, text=True)
    try:
        port = server.stdout.readline().split()[1]
        out = net6.wait_for(lambda: guest.run(f"wget -q -O - http://[fec0::2]:{port}/4096 | wc -c", 60)[0].strip() == "65536", 60)
        assert out
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
