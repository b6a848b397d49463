# SPDX-License-Identifier: MIT
"""BusyBox's ftpget and ftpput: a connection for commands and one for each file, opened towards the port that the
server names (RFC 959, passive)."""
import hashlib
import random
import subprocess

import pytest

HOST = "10.0.2.2"
DATA = random.Random(3).randbytes(700_001)
SERVER = f"""
import hashlib, random, socket
data = random.Random(3).randbytes({len(DATA)})
main = socket.create_server(("{HOST}", 2121))
print("ready", flush=True)
while True:
    c = main.accept()[0]
    say = lambda text: c.sendall(text.encode() + b"\\r\\n")
    say("220 here")
    for line in c.makefile():
        word = line.split()[0].upper()
        if word == "PASV":
            d = socket.create_server(("{HOST}", 0))
            port = d.getsockname()[1]
            say("227 at ({HOST.replace('.', ',')},%d,%d)" % (port >> 8, port & 255))
        elif word in ("RETR", "STOR"):
            say("150 now")
            f = d.accept()[0]
            if word == "RETR":
                f.sendall(data)
            else:
                got = hashlib.md5()
                while part := f.recv(65536):
                    got.update(part)
                print(got.hexdigest(), flush=True)
            f.close()
            say("226 done")
        else:
            say({{"USER": "331 who", "PASS": "230 you", "TYPE": "200 as it is", "SIZE": "213 %d" % len(data), "QUIT": "221 bye"}}
                .get(word, "502 what"))
    c.close()
"""


@pytest.fixture
def server(wire):
    proc = subprocess.Popen([*wire.prefix, "/usr/bin/python3", "-c", SERVER], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, text=True)
    assert proc.stdout.readline() == "ready\n"
    yield proc.stdout
    proc.kill()
    proc.wait()
    proc.stdout.close()


def test_files_both_ways(machine, wire, server):
    g = machine(netns=wire)
    g.sh(f"ftpget -P 2121 {HOST} /tmp/file there", 60)
    want = hashlib.md5(DATA).hexdigest()
    assert g.sh("md5sum < /tmp/file").split()[0] == want
    g.sh(f"ftpput -P 2121 {HOST} back /tmp/file; rm /tmp/file", 60)
    assert server.readline().strip() == want
