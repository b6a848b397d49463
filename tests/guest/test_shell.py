# SPDX-License-Identifier: MIT
"""The BusyBox shell as somebody at the serial line uses it: pipes, redirection, jobs, and the applets."""
import hashlib
import re
import time

import pytest
from guest import PROMPT, STATUS_PROMPT, text_of, wait_for


@pytest.fixture
def g(machine):
    return machine(cmdline="net=manual")


LINES = [
    # name, command, what it prints
    ("pipe", "printf 'b\\na\\nc\\n' | sort | tr a-z A-Z", "A\nB\nC\n"),
    ("pipe_of_many", "seq 1 100 | cat | grep 5 | wc -l", "19\n"),
    ("redirection", "echo one > /tmp/r; echo two >> /tmp/r; cat < /tmp/r", "one\ntwo\n"),
    ("standard_error", "ls /nowhere 2>&1 >/dev/null | grep -c 'No such file'", "1\n"),
    ("descriptors", "exec 5>/tmp/five; echo hi >&5; exec 5>&-; cat /tmp/five", "hi\n"),
    ("glob", "cd /tmp; rm -rf gl; mkdir gl; cd gl; touch a.c b.c c.h .hid; echo *.c [!a]*; cd", "a.c b.c b.c c.h\n"),
    ("substitution", "echo $(echo inner `echo deeper`) $((6 * 7))", "inner deeper 42\n"),
    ("quotes", "a='x  y'; echo \"$a\" $a '$a'", "x  y x y $a\n"),
    ("here_document", "cat <<E\nline $((1+1))\nE", "line 2\n"),
    ("functions", "f() { local v=$1; echo $v; return 3; }; f local; echo $?", "local\n3\n"),
    ("loops", "for i in 1 2 3; do [ $i = 2 ] && continue; echo $i; done; while :; do break; done", "1\n3\n"),
    ("case", "case abc in a*) echo starts;; *) echo no;; esac", "starts\n"),
    ("exit_status", "true; echo $?; false; echo $?; (exit 42); echo $?; /nowhere 2>/dev/null; echo $?",
     "0\n1\n42\n127\n"),
    ("pipe_status_is_the_last", "false | true; echo $?; true | false; echo $?", "0\n1\n"),
    ("trap_exit", "sh -c 'trap \"echo leaving\" EXIT; echo here'", "here\nleaving\n"),
    ("trap_signal", "sh -c 'trap \"echo caught; exit 5\" TERM; kill -TERM $$; sleep 5'; echo $?", "caught\n5\n"),
    ("wait_for_a_job", "sh -c '(sleep 0.2; exit 7) & wait $!; echo $?'", "7\n"),
    # ash says "Terminated" only if the job lives on until wait
    ("kill_a_job", "sh -c 'sleep 100 & kill $!; wait $! 2>/dev/null; echo $?'", "143\n"),
    ("umask", "umask 027; touch /tmp/um; stat -c %a /tmp/um; umask 022", "640\n"),
    ("arguments", "set -- a 'b c' d; echo $# \"$2\"; shift 2; echo $*", "3 b c\nd\n"),
    ("read", "echo 'one two three' | { read a b; echo $b; }", "two three\n"),
    ("find", "mkdir -p /tmp/fi/a/b; touch /tmp/fi/a/b/x; find /tmp/fi -type f", "/tmp/fi/a/b/x\n"),
    ("find_exec", "find /tmp/fi -name x -exec echo found {} \\;", "found /tmp/fi/a/b/x\n"),
    ("tar", "cd /tmp; tar cf fi.tar fi && rm -r fi && tar xf fi.tar && find fi -type f; cd", "fi/a/b/x\n"),
    ("gzip", "seq 1 5000 > /tmp/n; gzip -c /tmp/n | gunzip -c | cmp - /tmp/n && echo same", "same\n"),
    ("bzip2_xz", "seq 1 500 > /tmp/n; bzip2 -c /tmp/n | bunzip2 -c | md5sum; md5sum < /tmp/n",
     (hashlib.md5("".join(f"{i}\n" for i in range(1, 501)).encode()).hexdigest() + "  -\n") * 2),
    ("awk", "seq 1 10 | awk '{ s += $1; q[NR % 2] += $1 } END { print s, q[0], 1 / 3 }'", "55 30 0.333333\n"),
    ("sed", "printf 'a=1\\nb=2\\n' | sed -n 's/^\\(.\\)=\\(.\\)$/\\2\\1/p'", "1a\n2b\n"),
    ("dd", "dd if=/dev/zero bs=4096 count=256 2>/dev/null | wc -c", "1048576\n"),
    ("dd_seek", "rm -f /tmp/sp; dd if=/dev/zero of=/tmp/sp bs=1 count=1 seek=9999999 2>/dev/null; stat -c %s /tmp/sp",
     "10000000\n"),
    ("mkfifo", "rm -f /tmp/ff; mkfifo /tmp/ff; (echo through > /tmp/ff &) ; cat /tmp/ff", "through\n"),
    ("links", "cd /tmp; rm -f l1 l2; echo x > l0; ln l0 l1; ln -s l0 l2; stat -c %h l1; readlink l2; cat l2; cd",
     "2\nl0\nx\n"),
    ("chmod", "touch /tmp/cm; chmod 4751 /tmp/cm; stat -c %A /tmp/cm; chmod a-x,u-s /tmp/cm; stat -c %a /tmp/cm",
     "-rwsr-x--x\n640\n"),
    ("cp_mv_rm", "cd /tmp; rm -rf c1 c2; cp -r fi c1 && mv c1 c2 && find c2 -type f && rm -r c2; ls -d c2 2>/dev/null; cd",
     "c2/a/b/x\n"),
    ("xargs", "seq 1 20 | xargs -n 5 echo | wc -l", "4\n"),
    ("diff", "cd /tmp; echo a > d1; echo b > d2; diff d1 d2 | tail -n 2; cd", "-a\n+b\n"),
    ("bc", "echo '2^64' | bc", "18446744073709551616\n"),
    ("date", "date -u -d @86400 +%Y-%m-%d", "1970-01-02\n"),
    ("id", "id", "uid=0(root) gid=0(root)"),
    ("whoami", "whoami", "root\n"),
    ("hostname", "hostname", "weft\n"),
    ("pwd", "cd /proc/sys/../net/..; pwd; cd /tmp; pwd -P; cd", "/proc\n/tmp\n"),
    ("uname", "uname -snrm", "Linux weft 0.1.0-weft x86_64\n"),
    ("tty", "tty", "/dev/ttyS0\n"),
    ("sysctl", "sysctl -n kernel.ostype kernel.osrelease", "Linux\n0.1.0-weft\n"),
    ("time", "time true 2>&1 | grep -c real", "1\n"),
    ("timeout", "timeout 1 sleep 10; echo $?", "Terminated\n143\n"),
    ("su", "su nobody -s /bin/sh -c 'id -un'", "nobody\n"),
    ("chroot", "mkdir -p /tmp/jail/bin; cp /bin/busybox /tmp/jail/bin; chroot /tmp/jail /bin/busybox ls /", "bin\n"),
]


@pytest.mark.parametrize("command,said", [line[1:] for line in LINES], ids=[line[0] for line in LINES])
def test_line(g, command, said):
    if "<<" in command:
        g.sh("cat > /tmp/here <<'END'\n" + command + "\nEND")
        command = "sh /tmp/here"
    out = g.run(command, 40)[0]
    assert out == said or (not said.endswith("\n") and out.startswith(said)), out


def test_busybox_arrived_whole(g):
    with open("/bin/busybox", "rb") as f:
        want = hashlib.md5(f.read()).hexdigest()
    assert g.sh("md5sum /bin/busybox").split()[0] == want
    assert g.sh("md5sum < /bin/busybox").split()[0] == want


def nap(g, seconds):
    """A program that sleeps in the foreground, and does so when this returns: its words came after its terminal."""
    g.sh("printf '#!/bin/sh\\necho napping\\nexec sleep $1\\n' > /tmp/nap; chmod +x /tmp/nap")
    g.send(f"/tmp/nap {seconds}\r")
    g.expect("napping\r\n")


def test_interrupt_ends_the_program_not_the_shell(g):
    pid = g.sh("echo $$")
    nap(g, 100)
    g.send(b"\x03")
    assert g.expect(STATUS_PROMPT)[1] == b"130"
    g.send("echo a''way; while :; do :; done\r")
    g.expect("away\r\n")
    g.send(b"\x03")
    assert g.expect(STATUS_PROMPT)[1] == b"130"
    assert g.sh("echo $$") == pid


def test_interrupt_of_a_pipeline(g):
    g.send("sh -c 'echo a\"\"way >&2; exec yes' | cat > /dev/null\r")
    g.expect("away\r\n")
    g.send(b"\x03")
    assert g.expect(STATUS_PROMPT)[1] == b"130"
    assert g.sh("ps | grep -c '[y]es'; true") == "0\n"


def test_quit_and_line_editing(g):
    nap(g, 100)
    g.send(b"\x1c")
    assert g.expect(STATUS_PROMPT)[1] == b"131"
    g.send(b"y=wrogn\x7f\x7fng; x=1\x01z=\x05\r")
    g.expect(STATUS_PROMPT)
    assert g.sh("echo $y $z $x") == "y=wrong 1\n"
    g.send(b"echo abandoned\x03")
    g.expect(STATUS_PROMPT)


def test_suspend_background_foreground(g):
    nap(g, 3)
    g.send(b"\x1a")
    g.expect(r"\[1\]\+  Stopped +/tmp/nap 3")
    g.expect(STATUS_PROMPT)
    assert re.search(r"\[1\].*Stopped.*/tmp/nap 3", g.sh("jobs"))
    assert "T" in g.sh("ps -o stat,args | grep '[s]leep 3'")
    assert "[1] /tmp/nap 3" in g.sh("bg")
    assert re.search(r"\[1\].*Running.*/tmp/nap 3", g.sh("jobs"))
    out, status = g.run("fg", 20)
    assert status == 0 and "/tmp/nap 3" in out
    assert g.sh("jobs") == ""


def test_background_job_is_announced(g):
    g.send("sleep 0.3 &\r")
    g.expect(STATUS_PROMPT)
    since = len(g.log)
    assert wait_for(lambda: g.run(":") and re.search(rb"\[1\]\+  Done +sleep 0.3", g.log[since:]))


def test_end_of_file_ends_a_reader(g):
    g.send("sh -c 'echo rea\"\"dy; exec cat'\r")
    g.expect("ready\r\n")
    g.send(b"typed text\r")
    g.expect("typed text\r\ntyped text\r\n", 5)
    g.send(b"\x04")
    assert g.expect(STATUS_PROMPT)[1] == b"0"


def test_init_respawns_a_shell(g):
    pid = int(g.sh("echo $$"))
    g.send("kill -9 $$\r")
    g.expect(PROMPT, 20)
    g.send("PS1='<$?># '\r")
    g.expect(STATUS_PROMPT)
    assert int(g.sh("echo $$")) != pid
    g.send("exit\r")
    g.expect(PROMPT, 20)
    g.send("PS1='<$?># '\r")
    g.expect(STATUS_PROMPT)


def test_window_size(g):
    g.sh("stty rows 33 cols 101")
    assert g.sh("stty size") == "33 101\n"
    assert g.sh("stty -a").startswith("speed 115200 baud; rows 33; columns 101;")
    g.sh("stty rows 24 cols 80")


def test_stty_raw_and_back(g):
    before = g.sh("stty -g")
    g.sh("stty -echo -icanon; stty sane")
    after = g.sh("stty -a")
    assert {"echo", "icanon", "isig"} <= set(after.split())
    g.sh("stty " + before.strip())


def test_vi_edits_and_saves(g):
    g.sh("printf 'first\\nsecond\\nthird\\n' > /tmp/vi.txt")
    g.send("vi /tmp/vi.txt\r")
    g.expect("third")
    for keys, shown in (("jddonew line", "new line"), ("\x1b", "- /tmp/vi.txt"), ("GA end", "end"), ("\x1b", "- /tmp/vi.txt")):
        g.send(keys)
        g.expect(shown)  # what follows an escape too soon belongs to it
    g.send(":wq\r")
    g.expect(STATUS_PROMPT)
    assert g.sh("cat /tmp/vi.txt") == "first\nthird\nnew line end\n"


def test_top_and_less_end_on_q(g):
    out = g.sh("top -b -n 1", 20)
    assert "Mem:" in out and "CPU:" in out and "init" in out
    g.send("top\r")
    g.expect("PID", 10)
    g.send("q")
    g.expect(STATUS_PROMPT)
    g.send("seq 1 200 | less\r")
    g.expect("20", 10)
    g.send(" ")
    g.expect("40")
    g.send("q")
    g.expect(STATUS_PROMPT)


def test_what_the_system_says_of_itself(g):
    assert re.search(r"^ *1 root .*init", g.sh("ps"), re.M)
    assert re.search(r"Mem: +\d{6} +\d+ +\d+", g.sh("free"))
    assert "Weft 0.1.0-weft" in g.sh("dmesg")
    mounts = g.sh("mount")
    assert " on /proc type proc" in mounts and " on /tmp type tmpfs" in mounts and " on /dev type devtmpfs" in mounts
    assert re.search(r"tmpfs.* /tmp", g.sh("df")) and g.sh("df -h /tmp")
    assert "load average: " in g.sh("uptime")
    date = int(g.sh("date +%s"))
    assert abs(date - time.time()) < 120
    first, second = float(g.sh("cut -d' ' -f1 /proc/uptime")), float(g.sh("cut -d' ' -f1 /proc/uptime"))
    assert 0 < first < second < 2000
    assert g.sh("pidof init") == "1\n"
    assert "processor" in g.sh("cat /proc/cpuinfo") and g.sh("nproc").strip() == "2"
    assert len(g.sh("cat /proc/stat").splitlines()) > 5


def test_mounting(g):
    g.sh("mkdir -p /tmp/m; mount -t tmpfs none /tmp/m; echo x > /tmp/m/f")
    assert g.run("umount /tmp/m; ls /tmp/m")[0] == ""
    assert g.run("mount -t nosuch none /tmp/m")[1] != 0
    assert g.run("umount /tmp/m")[1] != 0


def test_device_nodes(g):
    assert g.run("echo x > /dev/full")[0].count("No space left") == 1
    assert g.sh("head -c 5 /dev/zero | hexdump -v -e '1/1 \"%x \"'").strip() == "0 0 0 0 0"
    assert g.sh("cat /dev/null; echo end") == "end\n"
    assert len(set(g.sh("for i in 1 2 3; do head -c 16 /dev/urandom | md5sum; done").splitlines())) == 3
    assert g.sh("head -c 16 /dev/random | wc -c").strip() == "16"
    g.sh("echo a line for the log > /dev/kmsg")
    assert "a line for the log" in g.sh("dmesg | tail -n 3")
    assert g.sh("echo to the terminal > /dev/tty") == "to the terminal\n"
    since = len(g.log)
    g.sh("echo to the console > /dev/console")
    assert wait_for(lambda: re.search(rb"[\r\n]to the console", g.log[since:]))
    for node in "null zero full random urandom tty console kmsg ptmx ttyS0 tty1".split():
        g.sh(f"test -c /dev/{node}")
    g.sh("mknod /tmp/null c 1 3; echo x > /tmp/null; test ! -s /tmp/null")


def test_users_are_kept_apart(g):
    g.sh("echo secret > /tmp/secret; chmod 600 /tmp/secret")
    for command in ("cat /tmp/secret", "kill 1", "mount -t tmpfs none /mnt", "hostname other", "cat /proc/kmsg",
                    "insmod /lib/modules/*/ip.ko", "mknod /tmp/n c 1 3", "chown 0 /tmp/secret"):
        out, status = g.run(f"su nobody -s /bin/sh -c '{command}'")
        assert status != 0, f"{command}: {out}"
    assert g.sh("hostname") == "weft\n"


def test_long_output_arrives_whole(g):
    out = g.sh("seq 1 3000", 60)
    assert out.split() == [str(i) for i in range(1, 3001)]


def test_long_input_line(g):
    word = "x" * 900
    assert text_of(g.run(f"echo {word} | wc -c", 30)[0].encode()).strip() == "901"


def test_scripts_and_executables(g):
    g.sh("printf '#!/bin/sh\\necho script $1\\n' > /tmp/s; chmod +x /tmp/s")
    assert g.sh("/tmp/s arg") == "script arg\n"
    g.sh("printf '#!/usr/bin/awk -f\\nBEGIN { print \"awk\" }\\n' > /tmp/a; chmod +x /tmp/a")
    assert g.sh("/tmp/a") == "awk\n"
    g.sh("printf 'echo no magic\\n' > /tmp/p; chmod +x /tmp/p")
    assert g.sh("/tmp/p") == "no magic\n"
    out, status = g.run("chmod -x /tmp/p; /tmp/p")
    assert status == 126 and "Permission denied" in out


def test_files_in_memory_are_given_back(g):
    g.sh("sync; dd if=/dev/zero of=/tmp/big bs=1M count=60 2>/dev/null; rm /tmp/big")
    before = int(g.sh("free -k").split("Mem:")[1].split()[2])
    g.sh("dd if=/dev/zero of=/tmp/big bs=1M count=60 2>/dev/null")
    assert int(g.sh("free -k").split("Mem:")[1].split()[2]) < before - 50_000
    g.sh("rm /tmp/big")
    assert abs(int(g.sh("free -k").split("Mem:")[1].split()[2]) - before) < 2000
