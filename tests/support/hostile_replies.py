"""Replies that no honest server gives."""

from __future__ import annotations

import random

from answering_proxy import Command, Last

FIXED = (
    b"*200000000\r\n",
    b"*9223372036854775807\r\n",
    b"*-2\r\n",
    b"%100000000\r\n",
    b"~100000000\r\n",
    b"$9223372036854775807\r\n",
    b"$99999999999999999999999\r\n",
    b"$536870912\r\nx",
    b"$-5\r\n",
    b"$4\r\nabcdefgh\r\n",
    b"=3\r\nx\r\n",
    b":twelve\r\n",
    b":99999999999999999999999\r\n",
    b"#maybe\r\n",
    b",not a number\r\n",
    b"_nothing\r\n",
    b"!5\r\nab\r\n\r\n",
    b"?\r\n",
    b"\x00\x01\x02\r\n",
    b"\r\n",
    b"+OK\n",
    b"-\r\n",
    b">0\r\n",
    b">2\r\n$10\r\ninvalidate\r\n*1\r\n$3\r\nkey\r\n",
    b">2\r\n$10\r\ninvalidate\r\n_\r\n" * 50,
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
)
KINDS = b"+-:$*%~>#,_=!(|"


def nested(depth: int) -> bytes:
    return b"*1\r\n" * depth


def endless(size: int) -> bytes:
    return b"+" + b"x" * size


def hostile(command: Command, source: random.Random) -> bytes:
    """An answer to the command that is malformed, huge, or another's."""
    turn = source.randrange(10)
    if turn < 4:
        said = source.choice(FIXED)
    elif turn == 4:
        said = nested(source.choice((9, 100, 200_000)))
    elif turn == 5:
        said = endless(source.choice((100, 70_000, 3_000_000)))
    elif turn == 6:
        said = bytes((source.choice(KINDS),)) + source.randbytes(source.randrange(40))
    else:
        said = mutated(plausible(command, source), source)
    return Last(said) if source.random() < 0.9 else said


def plausible(command: Command, source: random.Random) -> bytes:
    """An answer that the command might have."""
    name, rest = command[0].upper(), command[1:]
    if name == b"MGET":
        values = [source.randbytes(source.randrange(300)) for _ in rest]
        parts = [b"$%d\r\n%s\r\n" % (len(value), value) for value in values]
        return b"*%d\r\n" % len(parts) + b"".join(parts)
    if name == b"TIME":
        return b"*2\r\n$10\r\n1700000000\r\n$1\r\n1\r\n"
    return source.choice((b"+OK\r\n", b":1\r\n", b"$1\r\n7\r\n", b"$-1\r\n"))


def mutated(reply: bytes, source: random.Random) -> bytes:
    altered = bytearray(reply)
    for _ in range(source.randint(1, 4)):
        at = source.randrange(len(altered))
        turn = source.randrange(4)
        if turn == 0:
            altered[at] = source.randrange(256)
        elif turn == 1:
            altered[at:at] = source.randbytes(source.randint(1, 8))
        elif turn == 2:
            del altered[at:]
        else:
            altered += altered[at:]
        if not altered:
            return b"*"
    return bytes(altered)
