"""Where storage commitment transactions are kept, those that peers began and our own."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from isocenter.domain.commitment import Commitment, NewCommitment, Side


class Commitments(Protocol):
    """Keep transactions; durable when a call returns."""

    def open(self, new: NewCommitment, *, due_at: float) -> Commitment:
        """Keep a new transaction, marked as a duplicate where one of that side has its UID.

        Raises Overloaded where too many are open.
        """
        ...

    def replace(self, commitment: Commitment) -> bool:
        """Keep a transaction as it is now; return False where it is gone or has gone on since it was read.

        It has gone on where the state that is kept does not lead to the state that it has now.
        """
        ...

    def find(self, side: Side, transaction_uid: str) -> Commitment | None:
        """Return the first transaction of a UID."""
        ...

    def due(
        self, *, now: float, limit: int, own_ae_titles: Collection[str] = (), but: Collection[str] = ()
    ) -> list[Commitment]:
        """Return open transactions that something is to be done about, the longest due first.

        With `own_ae_titles`, only those that were begun under one of these titles of ours; never those of `but`.
        """
        ...

    def recent(self, *, limit: int) -> list[Commitment]:
        """Return transactions, the one that was begun last first."""
        ...

    def forget(self, *, ended_before: float) -> int:
        """Drop transactions that are not open and changed last before a time; return how many."""
        ...
