"""Find out which instances of a request are the ones for which it is refused: in halves.

k of n make 2 k log2(n) + 1 requests at most, and those that are not at fault are all taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Refusal = TypeVar("Refusal")


def send_halving(
    batch: Sequence[Item], *, send: Callable[[Sequence[Item]], Refusal | None], refuse: Callable[[Item, Refusal], None]
) -> None:
    """Send a batch, and where it is refused as a whole its halves; `refuse` learns of each that is refused alone."""
    waiting = [batch]
    while waiting:
        part = waiting.pop()
        if not part:
            continue
        refusal = send(part)
        if refusal is None:
            continue
        if len(part) == 1:
            refuse(part[0], refusal)
            continue
        middle = len(part) // 2
        waiting += [part[middle:], part[:middle]]
