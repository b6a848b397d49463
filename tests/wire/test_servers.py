# SPDX-License-Identifier: MIT
"""Debian's servers and clients on both sides of the wire: what the guest runs talks to the same programs, run from the
same folder, in the namespace."""
import base64
import contextlib
import hashlib
import os
import pty
import re
import subprocess

import pytest

import debian
from guest import wait_for

HOST, GUEST = "10.0.2.2", "10.0.2.15"
NGINX = """daemon off; user root; worker_processes 1; error_log /dev/null; pid {dir}/nginx.pid; events {{ worker_connections 64; }}
http {{ access_log off; sendfile on; client_body_temp_path {dir}/b; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f;
uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s; server {{ listen 8080; root {root}; }} }}
"""


@pytest.fixture
def both(machine, wire):
    """(a guest that has the programs, its network)."""
    guest = machine(netns=wire, extra=debian.extra(), mem=512)
    yield guest, wire
    guest.run("killall -9 nginx redis-server openssl dropbear 2>/dev/null; wait; rm -rf /tmp/*")


def program(name, *arguments):
    """A command line that runs a program of the guest's folder here, with the libraries that it has there."""
    top = debian.extra()
    libraries = ":".join(os.path.join(top, d, "x86_64-linux-gnu") for d in ("lib", "usr/lib"))
    return [os.path.join(top, "lib64/ld-linux-x86-64.so.2"), "--library-path", libraries,
            os.path.join(top, name), *map(str, arguments)]


def here(net, *command, **options):
    """What a program of the guest's folder says when it runs here; options are subprocess.run's."""
    done = subprocess.run([*net.prefix, *program(*command)], timeout=60, capture_output=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.decode()


@contextlib.contextmanager
def serving(net, port, *command):
    """A server of the guest's folder runs here in the block."""
    server = subprocess.Popen([*net.prefix, *program(*command)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    try:
        assert wait_for(lambda: f":{port} " in net.run("ss -ltn")[0]), command
        yield
    finally:
        server.terminate()
        server.wait(10)


def test_redis_in_the_guest(both):
    guest, net = both
    guest.sh("redis-server --port 6379 --protected-mode no --save '' --daemonize yes --logfile /tmp/r.log > /dev/null")
    guest.until("redis-cli ping")
    assert here(net, "usr/bin/redis-cli", "-h", GUEST, "set", "key", "value").strip() == "OK"
    assert guest.sh("redis-cli get key").strip() == '"value"'
    out = here(net, "usr/bin/redis-benchmark", "-h", GUEST, "-n", 3000, "-c", 20, "-q", "-t", "set,get").replace("\r", "\n")
    assert len(re.findall(r"[\d.]+ requests per second", out)) == 2, out
    guest.sh("redis-cli shutdown nosave")


def test_redis_in_the_network(both):
    guest, net = both
    with serving(net, 6380, "usr/bin/redis-server", "--port", 6380, "--protected-mode", "no", "--save", ""):
        assert guest.sh(f"redis-cli -h {HOST} -p 6380 set from weft").strip() == "OK"
        out = guest.sh(f"redis-benchmark -h {HOST} -p 6380 -n 2000 -c 10 -q -t set,get | tr '\\r' '\\n'", 60)
        assert len(re.findall(r"[\d.]+ requests per second", out)) == 2, out


def test_nginx_in_the_guest(both, tmp_path):
    guest, net = both
    conf = NGINX.format(dir="/tmp", root="/usr/share/nginx/html").replace("daemon off", "daemon on").replace("\n", " ")
    guest.sh(f"printf '{conf}' > /tmp/n.conf; head -c 3000000 /dev/urandom > /usr/share/nginx/html/big; nginx -c /tmp/n.conf")
    guest.until("wget -q -O /dev/null http://127.0.0.1:8080/")
    assert "Welcome to nginx" in here(net, "usr/bin/curl", "-s", f"http://{GUEST}:8080/")
    big = tmp_path / "big"
    here(net, "usr/bin/curl", "-s", "-o", big, f"http://{GUEST}:8080/big")
    assert net.run(f"md5sum < {big}")[0].split()[0] == guest.sh("md5sum < /usr/share/nginx/html/big").split()[0]
    out = here(net, "usr/bin/wrk", "-t1", "-c10", "-d2s", f"http://{GUEST}:8080/")
    assert float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]) > 10, out
    assert "Socket errors" not in out and "Non-2xx" not in out, out
    guest.sh("nginx -c /tmp/n.conf -s quit")


def test_nginx_in_the_network(both, tmp_path):
    guest, net = both
    (tmp_path / "big").write_bytes(os.urandom(3_000_000))
    (tmp_path / "conf").write_text(NGINX.format(dir=tmp_path, root=tmp_path))
    tmp_path.chmod(0o755)
    with serving(net, 8080, "usr/sbin/nginx", "-p", tmp_path, "-c", tmp_path / "conf"):
        sums = guest.sh(f"for i in 1 2 3; do curl -sf http://{HOST}:8080/big | md5sum; done", 60).split()
    assert set(sums[::2]) == {net.run(f"md5sum < {tmp_path / 'big'}")[0].split()[0]}


def test_ssh_into_the_guest(both, tmp_path):
    """With a terminal, an exit status, and a file each way."""
    guest, net = both
    key = tmp_path / "id"
    made = here(net, "usr/bin/dropbearkey", "-t", "ed25519", "-f", key)
    public = next(line for line in made.splitlines() if line.startswith("ssh-"))
    guest.sh(f"mkdir -p ~/.ssh /etc/dropbear; echo '{public}' > ~/.ssh/authorized_keys; chmod 700 ~/.ssh; chmod 600 ~/.ssh/*;"
             " dropbear -R -E -p 2222 2> /tmp/db.log", 60)
    guest.serving(2222)
    ssh = ["usr/bin/dbclient", "-y", "-y", "-i", key, "-p", 2222, f"root@{GUEST}"]
    assert "uid=0(root)" in here(net, *ssh, "id")
    master, slave = pty.openpty()
    assert "/dev/pts/" in here(net, ssh[0], "-t", *ssh[1:], "tty", stdin=slave)
    os.close(master)
    os.close(slave)
    data = os.urandom(2_000_000)
    here(net, *ssh, "cat > /tmp/sent", input=data)
    assert guest.sh("md5sum < /tmp/sent").split()[0] == hashlib.md5(data).hexdigest()
    assert here(net, *ssh, "base64 /tmp/sent").encode() == base64.encodebytes(data)
    done = subprocess.run([*net.prefix, *program(*ssh, "exit 7")], timeout=40, capture_output=True)
    assert done.returncode == 7
    guest.sh("killall dropbear")


def test_tls_both_ways(both, tmp_path):
    guest, net = both
    guest.sh("openssl req -x509 -newkey rsa:2048 -nodes -keyout /tmp/key -out /tmp/cert -subj /CN=weft -days 2 2>/dev/null", 60)
    guest.sh("openssl s_server -key /tmp/key -cert /tmp/cert -accept 4433 -www > /dev/null 2>&1 &")
    guest.until("netstat -ltn | grep -q :4433")
    ask = b"GET / HTTP/1.0\r\n\r\n"
    assert "200 ok" in here(net, "usr/bin/openssl", "s_client", "-quiet", "-connect", f"{GUEST}:4433", input=ask)
    for name in ("key", "cert"):
        (tmp_path / name).write_text(guest.sh(f"cat /tmp/{name}"))
    with serving(net, 4434, "usr/bin/openssl", "s_server", "-key", tmp_path / "key", "-cert", tmp_path / "cert",
                 "-accept", 4434, "-www"):
        out = guest.sh(f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | openssl s_client -quiet -connect {HOST}:4434 2>/dev/null", 30)
    assert "200 ok" in out
    guest.sh("killall openssl")
