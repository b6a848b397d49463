#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""relay PORT WIRE - a wire that loses, repeats, delays, reorders and damages frames, between a guest's TAP (PORT) and a
TAP of its own making (WIRE) which has the host's address: the kernels of test machines often have no netem. Runs inside
a network namespace until its standard input ends; prints `ready` first. All from a seed; a rate needs a queue."""
import argparse
import fcntl
import heapq
import itertools
import os
import random
import select
import socket
import struct
import sys
import time

TUNSETIFF, IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x400454ca, 2, 0x1000, 0x4000
SOL_PACKET, PACKET_VNET_HDR = 263, 15
FRAME_MAX = 66000
# A struct virtio_net_hdr stands in front of each frame: cards that leave sums and cutting to the host say so in it.
HEADER = struct.Struct("<BBHHHH")
NEEDS_CSUM, NOTHING_LEFT = 1, bytes(HEADER.size)
order = itertools.count()  # frames of one time leave in the order they came


def summed(frame):
    """The frame without what its header leaves to be done, as it would be on a wire: damage shall be seen."""
    flags, _, _, _, start, offset = HEADER.unpack_from(frame)
    if not flags & NEEDS_CSUM:
        return bytearray(frame)
    body = bytearray(frame[HEADER.size:])
    tail = bytes(body[start:]) + b"\0"[:(len(body) - start) % 2]
    total = sum(struct.unpack(f">{len(tail) // 2}H", tail))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    struct.pack_into(">H", body, start + offset, ~total & 0xffff or 0xffff)
    return bytearray(NOTHING_LEFT) + body


class Way:
    """One direction."""

    def __init__(self, args, send, rng):
        self.args, self.send, self.rng = args, send, rng
        self.free_at = 0.0
        self.queued = 0

    def take(self, frame, now, heap):
        a, rng = self.args, self.rng
        if rng.random() * 100 < a.loss:
            return
        at = max(now, self.free_at)
        if a.rate:
            if self.queued + len(frame) > a.queue:
                return
            self.queued += len(frame)
            at += len(frame) * 8 / (a.rate * 1e6)
            self.free_at = at
        at += a.delay / 1e3
        if rng.random() * 100 < a.reorder:
            at += a.late / 1e3 * rng.random()
        if rng.random() * 100 < a.corrupt:
            frame = summed(frame)
            frame[rng.randrange(HEADER.size + 14, len(frame))] ^= 1 << rng.randrange(8)
        heapq.heappush(heap, (at, next(order), self, bytes(frame)))
        if rng.random() * 100 < a.duplicate:
            heapq.heappush(heap, (at, next(order), self, bytes(frame)))

    def leave(self, frame):
        self.queued = max(0, self.queued - len(frame))
        try:
            self.send(frame)
        except OSError:
            pass  # the guest is not there, or its queue is full: a wire loses such frames


def open_tap(name):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
    return fd


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("port")
    p.add_argument("wire")
    for name, unit in (("loss", "%"), ("duplicate", "%"), ("reorder", "%"), ("corrupt", "%"), ("delay", "ms"),
                       ("late", "ms that a reordered frame comes late, at most"), ("rate", "Mbit/s, 0: no limit")):
        p.add_argument("--" + name, type=float, default=5.0 if name == "late" else 0.0, help=unit)
    p.add_argument("--queue", type=int, default=256 * 1024, help="bytes that wait for their turn")
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    rng = random.Random(a.seed)
    wire = open_tap(a.wire)
    port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    port.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE: the wire alone loses frames
    port.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    port.bind((a.port, 0))
    port.setblocking(False)
    to_guest, to_host = Way(a, port.send, rng), Way(a, lambda f: os.write(wire, f), rng)
    print("ready", flush=True)
    heap = []
    while True:
        now = time.monotonic()
        while heap and heap[0][0] <= now:
            _, _, way, frame = heapq.heappop(heap)
            way.leave(frame)
        wait = max(0.0, heap[0][0] - now) if heap else None
        ready, _, _ = select.select([port, wire, 0], [], [], wait)
        now = time.monotonic()
        if 0 in ready and not sys.stdin.buffer.raw.read(1):
            return
        for _ in range(64):
            if port not in ready:
                break
            try:
                frame, where = port.recvfrom(FRAME_MAX)
            except OSError:
                break
            if where[2] != socket.PACKET_OUTGOING:
                to_host.take(frame, now, heap)
        for _ in range(64):
            if wire not in ready:
                break
            try:
                to_guest.take(os.read(wire, FRAME_MAX), now, heap)
            except OSError:
                break


if __name__ == "__main__":
    main()
