# SPDX-License-Identifier: MIT
"""guest - Weft in QEMU, driven over its serial line as a person would: wait for the prompt, type, read.

Every wait has a time limit, what the serial line said is kept whole (Guest.log), QEMU is ended by its own
process handle. Boot images with another command line are made once and kept under build/test."""
import contextlib
import fcntl
import functools
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, "build")
OVMF = "/usr/share/ovmf/OVMF.fd"
PROMPT = re.compile(rb"(?:^|[\r\n])[^\r\n]*# (?:\x1b\[6n)?")
STATUS_PROMPT = re.compile(rb"<(\d+)># ")
NEW_SHELL = rb"built-in shell \(ash\)"
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>()][A-Z0-9]?")


# A child that would outlive a test run that is killed is started through this; it survives exec.
WITH_US = ["setpriv", "--pdeathsig", "KILL"]


class GuestError(AssertionError):
    pass


@contextlib.contextmanager
def alone(name):
    """One process at a time in the block: test files run side by side and share what they build."""
    os.makedirs(os.path.join(BUILD, "test"), exist_ok=True)
    with open(os.path.join(BUILD, "test", name + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def text_of(raw):
    return ESCAPE.sub("", raw.decode(errors="replace")).replace("\r", "")


def wait_for(what, seconds=30, step=0.2):
    """The first true value of `what()`; the last one when time is up."""
    end = time.monotonic() + seconds
    while not (value := what()) and time.monotonic() < end:
        time.sleep(step)
    return value


# Without a wait for DHCP, without servers that hold modules, without IPv6 until it is asked for: what most tests
# start from.
PLAIN = "ip=10.0.2.15/24,10.0.2.2,10.0.2.3 ip6=none services=none"


def make_iso(cmdline="", entry="auto", extra=None, build=BUILD, plain=True):
    """Path of an ISO that boots `entry` at once with `cmdline` appended and the folder `extra` laid over its
    root file system. Unless `plain` is False eth0 has its usual address and no server runs."""
    if plain:
        cmdline = f"{PLAIN} {cmdline}".strip()
    kernel, initramfs = os.path.join(build, "weft.stripped"), os.path.join(build, "initramfs.cpio")
    key = hashlib.sha256()
    for part in (kernel, initramfs):
        with open(part, "rb") as f:
            key.update(f.read())
    key.update(f"{cmdline}\0{entry}\0{extra}".encode())
    made = os.path.join(BUILD, "test")
    os.makedirs(made, exist_ok=True)
    iso = os.path.join(made, key.hexdigest()[:16] + ".iso")
    if os.path.exists(iso) and not extra:
        return iso
    own = f"{iso[:-4]}-{os.getpid()}"  # others may be making the same one
    if extra:
        subprocess.run([os.path.join(TOP, "scripts/mkcpio"), "-o", own + ".cpio", os.path.join(build, "root"),
                        os.path.join(TOP, "iso/root"), extra], check=True)
        initramfs = own + ".cpio"
    subprocess.run([os.path.join(TOP, "scripts/mkiso"), "-o", own + ".iso", "-k", kernel, "-r", initramfs, "-t", "0",
                    "-a", cmdline, "-d", entry], check=True)
    if extra:
        os.unlink(initramfs)
    os.replace(own + ".iso", iso)
    return iso


class Guest:
    def __init__(self, iso=None, *, cmdline="", entry="auto", extra=None, machine="pc", cpu="qemu64", smp=2,
                 mem=256, nic="e1000", firmware="bios", boot="cd", netns=None, hostfwd=(), qemu_args=(), plain=True):
        self.log = b""
        self.at = 0
        self.count = 0
        self.changed = threading.Condition()
        self.dir = tempfile.TemporaryDirectory(prefix="weft-guest-")
        self.qmp_path = os.path.join(self.dir.name, "qmp")
        iso = iso or make_iso(cmdline, entry, extra, plain=plain)
        cmd = ["qemu-system-x86_64", "-accel", "tcg", "-machine", machine, "-cpu", cpu, "-smp", str(smp),
               "-m", str(mem), "-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot",
               "-qmp", f"unix:{self.qmp_path},server=on,wait=off",
               "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]
        if firmware == "uefi":
            cmd += ["-bios", OVMF]
        if boot == "usb":
            cmd += ["-drive", f"if=none,id=stick,format=raw,snapshot=on,file={iso}",
                    "-device", "qemu-xhci", "-device", "usb-storage,drive=stick,bootindex=0"]
        else:
            cmd += ["-boot", "d", "-cdrom", iso]
        if nic is None:
            cmd += ["-nic", "none"]
        elif netns:
            cmd += ["-netdev", f"tap,id=net0,ifname={netns.tap},script=no,downscript=no",
                    "-device", f"{nic},netdev=net0,mac={netns.guest_mac}"]
        else:
            forward = "".join(f",hostfwd={rule}" for rule in hostfwd)
            cmd += ["-netdev", f"user,id=net0{forward}", "-device", f"{nic},netdev=net0"]
        cmd += qemu_args
        self.command = cmd = WITH_US + (netns.prefix if netns else []) + cmd
        self.proc = subprocess.Popen(cmd, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT, start_new_session=True)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        while chunk := os.read(self.proc.stdout.fileno(), 65536):
            with self.changed:
                self.log += chunk
                self.changed.notify_all()
        with self.changed:
            self.reader = None
            self.changed.notify_all()

    # ---- the serial line ----

    def send(self, data):
        try:
            self.proc.stdin.write(data if isinstance(data, bytes) else data.encode())
            self.proc.stdin.flush()
        except OSError:
            raise GuestError(f"QEMU is gone (status {self.proc.poll()})") from None

    def expect(self, pattern, timeout=30):
        """The next match of `pattern` in what the guest says from here on; later calls go on behind it."""
        if isinstance(pattern, str):
            pattern = pattern.encode()
        regex = re.compile(pattern)
        end = time.monotonic() + timeout
        with self.changed:
            while not (found := regex.search(self.log, self.at)):
                left = end - time.monotonic()
                if self.reader is None:
                    raise GuestError(f"QEMU ended (status {self.proc.wait()}) before {regex.pattern!r} came")
                if left <= 0:
                    raise GuestError(f"{regex.pattern!r} did not come within {timeout} s; the last lines:\n" +
                                     text_of(self.log)[-1500:])
                self.changed.wait(left)
            self.at = found.end()
        return found

    def login(self, timeout=60):
        """Waits for the first shell prompt, and has the prompt tell the exit status from now on."""
        self.expect(PROMPT, timeout)
        self.send("PS1='<$?># '\n")
        self.expect(STATUS_PROMPT, 15)
        return self

    def run(self, command, timeout=30, mortal=False):
        """Types one command line; (output, exit status) when the prompt is back. When the shell is `mortal` its end,
        upon which init starts a new one, is an error at once."""
        def reply(pattern):
            found = self.expect(pattern + (b"|" + NEW_SHELL if mortal else b""), timeout)
            if not found[1]:
                raise GuestError(f"the shell ended at `{command}`")
            return found

        self.count += 1
        self.send(f'echo @""B{self.count}@; {command}\n')
        start = reply(b"(@B%d@\r?\n)" % self.count).end()
        done = reply(STATUS_PROMPT.pattern)
        return text_of(self.log[start:done.start()]), int(done[1])

    def sh(self, command, timeout=30):
        """Output of a command that must succeed."""
        out, status = self.run(command, timeout)
        if status != 0:
            raise GuestError(f"`{command}` gave status {status}:\n{out}")
        return out

    def until(self, command, seconds=30):
        """Repeats a command until it succeeds; its output."""
        end = time.monotonic() + seconds
        while (said := self.run(command))[1] != 0:
            if time.monotonic() > end:
                raise GuestError(f"`{command}` does not succeed within {seconds} s:\n{said[0]}\n" + self.run("dmesg | tail -n 20")[0])
            time.sleep(0.2)
        return said[0]

    def serving(self, *ports, protocol="tcp"):
        """Waits until a program listens on each of the ports."""
        state = {"tcp": "0A", "udp": "07"}[protocol]
        for port in ports:
            self.until(f"cat /proc/net/{protocol} /proc/net/{protocol}6 2> /dev/null | grep -q ':{port:04X} [0-9A-F]*:0000 {state} '")

    def text(self):
        return text_of(self.log)

    def quiet(self):
        """Keeps all but errors out of the output of commands; dmesg still has everything."""
        self.sh("dmesg -n 4")
        return self

    def revive(self):
        """A prompt again after the shell may have died, which init answers with a new one."""
        for _ in range(20):
            self.send(b"\x03\rPS1='<$?># '\r")
            try:
                self.expect(STATUS_PROMPT, 2)
                if self.run("true", 3)[1] == 0:
                    return
            except GuestError:
                pass
        raise GuestError("no shell comes any more:\n" + self.text()[-1500:])

    def usable(self):
        """Brings the shell back to an empty line, whatever a test left behind; False when it does not come."""
        if self.proc.poll() is not None or self.reader is None:
            return False
        try:
            self.send(b"\x03\r")
            return self.run("cd; kill -9 $(jobs -p) 2>/dev/null; wait; true", 10)[1] == 0
        except GuestError:
            return False

    # ---- the machine ----

    def qmp(self, command, **arguments):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(self.qmp_path)
            f = s.makefile("rw")
            f.readline()
            for name, args in (("qmp_capabilities", {}), (command, arguments)):
                f.write(json.dumps({"execute": name, "arguments": args}) + "\n")
                f.flush()
                while "event" in (reply := json.loads(f.readline())):
                    pass
            if "error" in reply:
                raise GuestError(f"QMP {command}: {reply['error']}")
            return reply["return"]

    def screen(self):
        """(width, height, RGB bytes) of the emulated screen."""
        path = os.path.join(self.dir.name, "screen.ppm")
        self.qmp("screendump", filename=path)
        with open(path, "rb") as f:
            magic, width, height, _, pixels = re.match(rb"(P6)\s+(\d+)\s+(\d+)\s+(\d+)\s(.*)", f.read(), re.S).groups()
        assert magic == b"P6"
        return int(width), int(height), pixels

    def keys(self, names):
        """Presses keys of the emulated keyboard, each named as QEMU does; "shift-a" holds shift."""
        for name in names:
            self.qmp("send-key", keys=[{"type": "qcode", "data": k} for k in name.split("-")])
            time.sleep(0.12)

    def wait_exit(self, timeout=30):
        """QEMU's exit status, once the guest ended it."""
        try:
            return self.proc.wait(timeout)
        except subprocess.TimeoutExpired:
            raise GuestError(f"QEMU still runs after {timeout} s") from None

    def stop(self):
        if self.proc.poll() is None:
            self.proc.terminate()
            try:
                self.proc.wait(5)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
        if reader := self.reader:
            reader.join(5)
        self.proc.stdin.close()
        self.proc.stdout.close()
        self.dir.cleanup()


# Importing scapy takes a second: one process does it, each program runs in a child of its. A program comes as its
# length and text; its status, how much it printed, how much it complained, and both go back.
SCAPY = """
import logging, os, random, sys, tempfile, traceback
logging.getLogger("scapy.runtime").setLevel(logging.ERROR)
from scapy.all import *
def _child(_program, _out, _err):
    status = 0
    try:
        back = os.dup(1)
        os.dup2(_out.fileno(), 1)
        os.dup2(_err.fileno(), 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        conf.ifaces.reload(), conf.route.resync(), conf.route6.resync()
        conf.verb = 0
        random.seed()
        names = dict(globals(), tap=sys.argv[1], ready=lambda: os.write(back, b"ready\\n"))
        conf.iface = names["tap"]
        exec(compile(_program, "program", "exec"), names)
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush(), sys.stderr.flush()
    os._exit(status)
while _line := sys.stdin.buffer.readline():
    _program = sys.stdin.buffer.read(int(_line))
    with tempfile.TemporaryFile() as _out, tempfile.TemporaryFile() as _err:
        _pid = os.fork() or _child(_program, _out, _err)
        _status = os.waitpid(_pid, 0)[1]
        _out.seek(0), _err.seek(0)
        _said, _complained = _out.read(), _err.read()
        os.write(1, b"%d %d %d\\n" % (_status, len(_said), len(_complained)))
        sys.stdout.buffer.write(_said + _complained)
        sys.stdout.buffer.flush()
"""


# Ends what runs in the namespaces of a name ($1, a pattern), then the namespaces.
CLEAR = 'for n in $(cd /run/netns && echo $1); do ip netns pids $n | xargs -r kill -9; ip netns del $n; done 2> /dev/null'


@functools.cache
def keeper():
    """A child that clears this process's namespaces when it ends in whatever way: its end of the pipe tells."""
    return subprocess.Popen(["sh", "-c", "cat; " + CLEAR, "keeper", f"weft-{os.getpid()}-*"], stdin=subprocess.PIPE,
                            stdout=subprocess.DEVNULL, start_new_session=True)


class Netns:
    """A network namespace with a TAP that only this test sees: the host is 10.0.2.2/24 on it, where Weft's
    start scripts expect their gateway."""
    made = 0
    guest_mac = "52:54:00:12:34:56"
    host_mac = "52:54:00:aa:00:02"

    def __init__(self, address="10.0.2.2/24"):
        keeper()
        Netns.made += 1
        self.name = f"weft-{os.getpid()}-{Netns.made}"
        self.tap, self.address = "tap0", address
        self.scapies = None
        self.prefix = ["ip", "netns", "exec", self.name]
        self._ip("netns", "add", self.name)
        try:
            self._ip("-n", self.name, "link", "set", "lo", "up")
            self._ip("-n", self.name, "tuntap", "add", "dev", self.tap, "mode", "tap")
            self._ip("-n", self.name, "link", "set", self.tap, "address", self.host_mac, "up")
            self._ip("-n", self.name, "addr", "add", address, "dev", self.tap)
        except subprocess.CalledProcessError:
            self.close()
            raise

    @staticmethod
    def _ip(*args):
        subprocess.run(["ip", *args], check=True, capture_output=True, text=True)

    def run(self, command, timeout=30):
        """A command line inside the namespace: (output, exit status)."""
        done = subprocess.run([*self.prefix, "sh", "-c", command], timeout=timeout, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.stdout, done.returncode

    def scapy(self, program, timeout=30, ready=None):
        """Runs a Python program inside, with scapy imported and `tap` set; what it printed. When it calls ready(),
        `ready` is called here, beside it."""
        if not self.scapies:
            self.scapies = subprocess.Popen([*self.prefix, "/usr/bin/python3", "-c", SCAPY, self.tap], stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, start_new_session=True)
        server = self.scapies
        limit = threading.Timer(timeout + 10, os.killpg, (server.pid, signal.SIGKILL))  # with its import
        limit.start()
        try:
            server.stdin.write(b"%d\n" % len(program.encode()) + program.encode())
            server.stdin.flush()
            while (line := server.stdout.readline()) == b"ready\n":
                ready()
            assert line, f"the program did not end within {timeout} s:\n{program}"
            status, said, complained = map(int, line.split())
            said, complained = server.stdout.read(said).decode(), server.stdout.read(complained).decode()
            assert status == 0, complained
            return said
        finally:
            limit.cancel()
            if server.poll() is not None or sys.exc_info()[0] not in (None, AssertionError):
                self._end_scapies()

    def _end_scapies(self):
        if not self.scapies:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.scapies.pid, signal.SIGKILL)
        self.scapies.wait()
        self.scapies.stdin.close()
        self.scapies.stdout.close()
        self.scapies = None

    def close(self):
        self._end_scapies()
        subprocess.run(["sh", "-c", CLEAR, "close", self.name])


class Relay:
    """While a block runs, what passes between the namespace and its guest goes over a bad wire (tests/lib/relay.py):
    Relay(netns, loss=2, delay=10, ...)."""

    def __init__(self, netns, **options):
        self.netns = netns
        self.command = [*netns.prefix, "/usr/bin/python3", os.path.join(TOP, "tests/lib/relay.py"), netns.tap, "wire0"]
        for name, value in options.items():
            self.command += [f"--{name}", str(value)]

    def __enter__(self):
        ns = self.netns
        self.proc = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.proc.stdout.readline() != "ready\n":
            raise GuestError("the relay does not start")
        ns._ip("-n", ns.name, "addr", "flush", "dev", ns.tap)
        ns._ip("-n", ns.name, "link", "set", ns.tap, "address", "52:54:00:aa:00:03")
        ns._ip("-n", ns.name, "link", "set", "wire0", "address", ns.host_mac, "up")
        ns._ip("-n", ns.name, "addr", "add", ns.address, "dev", "wire0")
        return self

    def __exit__(self, *args):
        ns = self.netns
        self.proc.stdin.close()
        try:
            self.proc.wait(5)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()
        self.proc.stdout.close()
        ns._ip("-n", ns.name, "link", "set", ns.tap, "address", ns.host_mac)
        ns._ip("-n", ns.name, "addr", "add", ns.address, "dev", ns.tap)
