# SPDX-License-Identifier: MIT
"""Unmodified, dynamically linked Debian programs at their usual work, without a network first: over sockets that
have names in the file system, pipes and terminals."""
import re

import debian
import pytest


@pytest.fixture
def box(machine):
    g = machine(extra=debian.extra(), mem=512)
    yield g
    g.run("killall -9 nginx redis-server socat openssl iperf3 dropbear 2>/dev/null; wait; rm -rf /tmp/*")


def nginx(g, listen):
    g.sh(f"printf 'pid /tmp/n.pid; error_log /tmp/n.err info; worker_processes 2; events {{ worker_connections 256; }} http {{"
         f" access_log off; sendfile on; server {{ listen {listen}; root /usr/share/nginx/html; }} }}\\n' > /tmp/n.conf;"
         " nginx -t -c /tmp/n.conf && nginx -c /tmp/n.conf")


def redis(g, *options):
    g.sh(f"redis-server {' '.join(options)} --save '' --dir /tmp --daemonize yes --logfile /tmp/r.log > /dev/null")


@pytest.mark.limit(400)
@pytest.mark.parametrize("command", ["bash --version", "curl --version", "dropbear -V", "iperf3 --version", "nginx -V", "openssl version",
                                     "redis-server --version", "redis-cli --version", "socat -V"])
def test_it_starts(box, command):
    out, status = box.run(f"/usr/bin/env {command} 2>&1", 30)
    assert status == 0 and re.search(r"\d+\.\d+", out), out


def test_nginx_and_curl(box):
    """Master and workers, sendfile, a reload and an orderly end."""
    nginx(box, "unix:/tmp/n.sock")
    get = "curl -s --unix-socket /tmp/n.sock http://x"
    assert "Welcome to nginx" in box.sh(get + "/")
    box.sh("head -c 3000000 /dev/urandom > /usr/share/nginx/html/big")
    sums = box.sh(f"{get}/big | md5sum; md5sum < /usr/share/nginx/html/big").split()
    assert sums[0] == sums[2]
    codes = box.sh(f"for i in 1 2 3 4 5 6; do {get}/ -o /dev/null -w '%{{http_code}} ' & done; wait; echo")
    assert codes.count("200") == 6
    workers = re.findall(r"(\d+) \S+ +nginx: worker", box.sh("ps"))
    box.sh("nginx -c /tmp/n.conf -s reload")
    assert workers
    for pid in workers:
        box.until(f"! kill -0 {pid}")
    assert "Welcome to nginx" in box.sh(get + "/")
    box.sh("nginx -c /tmp/n.conf -s quit")
    box.until("! pidof nginx")
    errors = [line for line in box.sh("cat /tmp/n.err").splitlines() if re.search(r"\[(emerg|alert|crit|error)\]", line)]
    assert not errors


def test_redis(box):
    """Commands, a child that writes the data out while the parent serves, and an orderly end."""
    redis(box, "--port 0", "--unixsocket /tmp/r.sock")
    box.until("[ -S /tmp/r.sock ]")
    cli = "redis-cli -s /tmp/r.sock"
    assert box.sh(f"{cli} set key value; {cli} get key").split() == ["OK", '"value"']
    out = box.sh("redis-benchmark -s /tmp/r.sock -n 3000 -c 20 -q -t set,get | tr '\\r' '\\n'", 60)
    assert len(re.findall(r"[\d.]+ requests per second", out)) == 2
    box.sh(f"{cli} bgsave")
    box.until(f"{cli} info persistence | grep -q rdb_bgsave_in_progress:0")
    assert "rdb_last_bgsave_status:ok" in box.sh(f"{cli} info persistence")
    box.run(f"{cli} shutdown nosave")
    box.until("! pidof redis-server")
    assert "bye bye" in box.sh("tail -1 /tmp/r.log")


def test_socat(box):
    """Sockets, programs and terminals joined to each other."""
    box.sh("socat UNIX-LISTEN:/tmp/s,fork EXEC:/bin/cat &")
    box.until("[ -S /tmp/s ]")
    assert box.sh("echo hello | socat - UNIX-CONNECT:/tmp/s").strip() == "hello"
    box.sh("head -c 1000000 /dev/urandom > /tmp/r")
    sums = box.sh("socat -t 5 - UNIX-CONNECT:/tmp/s < /tmp/r | md5sum; md5sum < /tmp/r", 40).split()
    assert sums[0] == sums[2]
    assert box.sh("echo hi | socat - EXEC:'/bin/busybox tr a-z A-Z',pty,raw,echo=0").strip() == "HI"
    assert box.sh("socat - EXEC:'/bin/busybox tty',pty,setsid,ctty < /dev/null").strip().startswith("/dev/pts/")


def test_openssl(box):
    box.sh("openssl req -x509 -newkey rsa:2048 -nodes -keyout /tmp/key -out /tmp/cert -subj /CN=weft -days 2 2>/dev/null", 60)
    box.sh("openssl s_server -key /tmp/key -cert /tmp/cert -unix /tmp/tls -www > /dev/null 2>&1 &")
    box.until("[ -S /tmp/tls ]")
    out = box.sh("printf 'GET / HTTP/1.0\\r\\n\\r\\n' | openssl s_client -quiet -unix /tmp/tls 2>/dev/null", 30)
    assert "200 ok" in out
    assert len(box.sh("openssl speed -seconds 1 -multi 2 sha256 2>/dev/null | tail -1", 60).split()) > 3


def test_bash_job_control(box):
    out = box.sh("/bin/bash -c 'set -m; sleep 30 & kill -STOP %1; until jobs | grep Stopped; do :; done;"
                 " kill -KILL %1; while kill -0 $! 2> /dev/null; do :; done; jobs; echo end' 2>&1")
    assert "Stopped" in out and "Killed" in out and out.strip().endswith("end")
    assert box.sh("/bin/bash -c 'coproc cat; echo hi >&${COPROC[1]}; read x <&${COPROC[0]}; echo got $x'").strip() == "got hi"
    assert box.run("/bin/bash -c 'diff <(seq 1 5) <(seq 1 5)'")[1] == 0


# ---- over TCP ----

def test_iperf3(box):
    box.sh("iperf3 -s -D")
    box.serving(5201)
    for options in ("", "-R", "-P 4", "-Z", "-u -b 20M"):
        out = box.sh(f"iperf3 -c 127.0.0.1 -t 1 {options}", 30)
        rate = re.search(r"([\d.]+) ([MGK])bits/sec.*receiver", out)
        assert rate and rate[2] in "MG", out


def test_web_over_tcp(box):
    nginx(box, "8080")
    assert "Welcome to nginx" in box.sh("curl -s http://127.0.0.1:8080/")
    box.sh("head -c 3000000 /dev/urandom > /usr/share/nginx/html/big")
    sums = box.sh("curl -s http://127.0.0.1:8080/big | md5sum; md5sum < /usr/share/nginx/html/big", 40).split()
    assert sums[0] == sums[2]
    out = box.sh("wrk -t1 -c10 -d2s http://127.0.0.1:8080/", 30)
    assert float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]) > 10
    assert "Socket errors" not in out and "Non-2xx" not in out


def test_redis_over_tcp(box):
    redis(box, "--port 6379")
    box.until("redis-cli ping")
    out = box.sh("redis-benchmark -n 3000 -c 20 -q -t set,get | tr '\\r' '\\n'", 60)
    assert len(re.findall(r"[\d.]+ requests per second", out)) == 2


def test_ssh_login(box):
    """Keys are made, the login gets a terminal of its own, and the exit status comes back."""
    box.sh("mkdir -p ~/.ssh /etc/dropbear; rm -f ~/.ssh/id; dropbearkey -t ed25519 -f ~/.ssh/id 2>/dev/null | grep ^ssh"
           " > ~/.ssh/authorized_keys; chmod 700 ~/.ssh; chmod 600 ~/.ssh/*; dropbear -R -E -p 2222 2>/tmp/db.log", 60)
    box.serving(2222)
    ssh = "dbclient -y -y -i ~/.ssh/id -p 2222 root@127.0.0.1"
    assert "uid=0(root)" in box.sh(f"{ssh} id 2>/dev/null", 40)
    assert box.run(f"{ssh} 'exit 7' 2>/dev/null", 40)[1] == 7
    assert "/dev/pts/" in box.sh(f"{ssh.replace('dbclient', 'dbclient -t')} tty 2>/dev/null", 40)
    box.sh("head -c 2000000 /dev/urandom > /tmp/r")
    sums = box.sh(f"{ssh} md5sum < /tmp/r 2>/dev/null; md5sum < /tmp/r", 60).split()
    assert sums[0] == sums[2]


def test_tls_over_tcp(box):
    box.sh("openssl req -x509 -newkey rsa:2048 -nodes -keyout /tmp/key -out /tmp/cert -subj /CN=weft -days 2 2>/dev/null", 60)
    box.sh("openssl s_server -key /tmp/key -cert /tmp/cert -accept 4433 -www > /dev/null 2>&1 &")
    box.serving(4433)
    assert "<HTML>" in box.sh("curl -sk https://127.0.0.1:4433/ | head -1", 30)


def test_streams_over_tcp(box):
    box.sh("head -c 3000000 /dev/urandom > /tmp/r; socat TCP-LISTEN:7777,fork,reuseaddr EXEC:/bin/cat &")
    box.serving(7777)
    sums = box.sh("socat -t 10 - TCP:127.0.0.1:7777 < /tmp/r | md5sum; md5sum < /tmp/r", 60).split()
    assert sums[0] == sums[2]
    box.sh("killall socat; nc.openbsd -l 8888 > /tmp/out &")
    box.serving(8888)
    box.sh("nc.openbsd -N 127.0.0.1 8888 < /tmp/r; wait $!", 60)
    assert box.run("cmp /tmp/r /tmp/out")[1] == 0
