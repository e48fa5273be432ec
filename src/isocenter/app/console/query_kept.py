"""The last answers to questions, a bounded number of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Kept(Generic[K, V]):
    """Answers by question; the oldest goes when there are too many."""

    def __init__(self, count_max: int) -> None:
        self._count_max = count_max
        self._answers: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """Return an answer, None where there is none any more."""
        return self._answers.get(key)

    def put(self, key: K, answer: V) -> None:
        """Keep an answer as the latest."""
        self._answers.pop(key, None)
        self._answers[key] = answer
        while len(self._answers) > self._count_max:
            self._answers.popitem(last=False)

    def forget(self, is_old: Callable[[K], bool]) -> None:
        """Drop answers by their questions."""
        for key in [key for key in self._answers if is_old(key)]:
            del self._answers[key]
