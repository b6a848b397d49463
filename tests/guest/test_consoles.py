# SPDX-License-Identifier: MIT
"""The screen and the keyboard: a shell is there as well, on a BIOS's text screen and on UEFI's frame buffer."""
import time

import pytest

CELL_W, CELL_H = 8, 16


@pytest.fixture(params=["bios", "uefi"])
def g(machine, request):
    return machine(cmdline="net=manual", firmware=request.param)


def lit(guest):
    """How many character cells of the screen are not blank."""
    width, height, pixels = guest.screen()
    rows = [pixels[y * width * 3:(y + 1) * width * 3] for y in range(height)]
    background = pixels[-3:]
    cells = set()
    for y, row in enumerate(rows):
        if row == background * width:
            continue
        for x in range(width):
            if row[x * 3:x * 3 + 3] != background:
                cells.add((x // CELL_W, y // CELL_H))
    return len(cells)


def settles(guest, wanted, seconds=30):
    """The number of lit cells, once wanted(number) holds."""
    end = time.monotonic() + seconds
    while not wanted(n := lit(guest)) and time.monotonic() < end:
        time.sleep(0.2)
    return n


def typed(text):
    names = {" ": "spc", "\n": "ret", "/": "slash", ".": "dot", "-": "minus", ">": "shift-dot", "|": "shift-backslash",
             "_": "shift-minus", "&": "shift-7", "$": "shift-4", ";": "semicolon", "=": "equal", "'": "apostrophe"}
    return [names.get(c, f"shift-{c.lower()}" if c.isupper() else c) for c in text]


def wait_for(guest, path):
    guest.until(f"[ -s {path} ]")
    return guest.sh(f"cat {path}; rm -f {path}")


def test_screen_shows_log_and_prompt(g):
    assert lit(g) > 40


def test_keyboard_types_a_command(g):
    g.keys(typed("echo Typed-1 $((6*7)) > /tmp/k\n".replace("$((6*7))", "a_b")))
    assert wait_for(g, "/tmp/k") == "Typed-1 a_b\n"


def test_letters_appear_and_clear_removes_them(g):
    g.keys(typed("clear\n"))
    few = settles(g, lambda n: n < 30)
    assert few < 30
    g.keys(typed("echo abcdefghijklmnopqrstuvwxyz\n"))
    assert settles(g, lambda n: n >= few + 40) >= few + 40


def test_screen_scrolls(g):
    g.keys(typed("seq 1 300; echo end > /tmp/s\n"))
    assert wait_for(g, "/tmp/s") == "end\n"
    assert lit(g) > 40
    g.keys(typed("clear\n"))
    assert settles(g, lambda n: n < 30) < 30


def test_interrupt_by_keyboard(g):
    g.keys(typed("sleep 100\n"))
    g.until("ps | grep -q '[s]leep 100'")
    g.keys(["ctrl-c"])
    g.keys(typed("echo after > /tmp/c\n"))
    assert wait_for(g, "/tmp/c") == "after\n"


def test_window_size_of_the_screen(g):
    g.keys(typed("stty size > /tmp/w\n"))
    rows, columns = map(int, wait_for(g, "/tmp/w").split())
    assert rows >= 24 and columns >= 80
    width, height, _ = g.screen()
    assert (columns * CELL_W <= width + CELL_W and rows * CELL_H <= height + CELL_H) or (rows, columns) == (25, 80)


def test_consoles_are_two_terminals(g):
    g.keys(typed("tty > /tmp/t\n"))
    assert wait_for(g, "/tmp/t") == "/dev/tty1\n"
    assert g.sh("tty") == "/dev/ttyS0\n"
    g.sh("echo written from the serial line > /dev/tty1")
