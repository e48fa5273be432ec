"""Fuzz the decoders of DIMSE, guided by the lines that an input reaches, and keep the inputs that reach new ones.

PYTHONPATH=. .venv/bin/python scripts/fuzz_dimse.py 60      seconds for each target
"""

from __future__ import annotations

import random
import sys
import time
from types import FrameType
from typing import Any

from tests.support.dimse_fuzz import CORPUS, TARGETS, iter_corpus, seeds

WATCHED = ("isocenter/dimse/ul/", "isocenter/dimse/message/")
INPUT_LENGTH_MAX = 1024
"""All that the decoders tell apart stands in the first bytes; long inputs are only slow."""
NUMBERS = (0, 1, 2, 3, 4, 5, 6, 7, 0x10, 0x20, 0x30, 0x40, 0x50, 0x51, 0x7F, 0x80, 0xFE, 0xFF)

Step = tuple[str, int, int]


def reached(target: str, data: bytes) -> set[Step]:
    """Run a target on an input; return each step from a line to the next that the watched modules made."""
    steps: set[Step] = set()

    def watch(frame: FrameType, event: str, _argument: Any) -> Any:
        name = frame.f_code.co_filename
        if not any(part in name for part in WATCHED):
            return None
        last = 0

        def step(frame: FrameType, event: str, _argument: Any) -> Any:
            nonlocal last
            if event == "line":
                steps.add((name, last, frame.f_lineno))
                last = frame.f_lineno
            return step

        return step

    sys.settrace(watch)
    try:
        TARGETS[target](data)
    finally:
        sys.settrace(None)
    return steps


def mutated(chance: random.Random, corpus: list[bytes]) -> bytes:
    """Return an input that differs a little from one of the corpus."""
    data = bytearray(chance.choice(corpus))
    for _ in range(chance.randint(1, 5)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(6):
            case 0 if at < len(data):
                data[at] ^= 1 << chance.randrange(8)
            case 1 if at < len(data):
                data[at] = chance.choice(NUMBERS)
            case 2:
                del data[at : at + chance.randint(1, 20)]
            case 3:
                data[at:at] = bytes(chance.choice(NUMBERS) for _ in range(chance.randint(1, 6)))
            case 4:
                data[at:] = chance.choice(corpus)[chance.randrange(len(data) + 1) :]
            case _:
                data[at:at] = data[at : at + chance.randint(1, 40)]
    return bytes(data[:INPUT_LENGTH_MAX])


def fuzz(target: str, *, duration_s: float, chance: random.Random) -> list[bytes]:
    """Return the inputs that each reach what those before did not."""
    known = sorted(iter_corpus(target), key=len) if (CORPUS / f"{target}.hex").exists() else []
    seen: set[Step] = set()
    kept: list[bytes] = []
    waiting = [*known, *seeds(target)]
    end = time.monotonic() + duration_s
    runs = 0
    while waiting or time.monotonic() < end:
        data = waiting.pop(0) if waiting else mutated(chance, kept)
        runs += 1
        try:
            new = reached(target, data) - seen
        except Exception:
            print(f"{target}: {data.hex()}")
            raise
        if new:
            seen |= new
            kept.append(data)
    print(f"{target}: {runs} inputs, {len(kept)} kept, {len(seen)} steps between lines")
    return kept


def main() -> None:
    """Fuzz every target and write its corpus anew."""
    duration_s = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    CORPUS.mkdir(parents=True, exist_ok=True)
    for target in TARGETS:
        kept = fuzz(target, duration_s=duration_s, chance=random.Random(time.time_ns()))
        lines = "".join(f"{data.hex()}\n" for data in sorted(kept, key=lambda one: (len(one), one)))
        (CORPUS / f"{target}.hex").write_text(lines, encoding="ascii")


if __name__ == "__main__":
    main()
