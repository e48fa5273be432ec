"""Storage commitment transactions in a list."""

from __future__ import annotations

import threading
from collections.abc import Collection

from isocenter.domain.commitment import (
    NEXT_STATES,
    OPEN_MAX,
    OPEN_STATES,
    Commitment,
    CommitmentState,
    NewCommitment,
    Side,
)
from isocenter.domain.errors import Overloaded


class MemoryCommitments:
    """Keep transactions in memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[int, Commitment] = {}
        self._last_key = 0

    def open(self, new: NewCommitment, *, due_at: float) -> Commitment:
        """Keep a new transaction, marked as a duplicate where one of that side has its UID."""
        with self._lock:
            if sum(one.state in OPEN_STATES for one in self._kept.values()) >= OPEN_MAX:
                raise Overloaded()
            self._last_key += 1
            is_provider = new.side is Side.PROVIDER
            opened = Commitment(
                commitment_key=self._last_key,
                side=new.side,
                request=new.request,
                peer_ae_title=new.peer_ae_title,
                own_ae_title=new.own_ae_title,
                requested_at=new.requested_at,
                state=CommitmentState.REQUESTED if is_provider else CommitmentState.ASKED,
                is_duplicate=self.find(new.side, new.request.transaction_uid) is not None,
                result=None,
                attempts=0,
                due_at=due_at,
                changed_at=new.requested_at,
            )
            self._kept[opened.commitment_key] = opened
            return opened

    def replace(self, commitment: Commitment) -> bool:
        """Keep a transaction as it is now; return False where it is gone or has gone on since it was read."""
        with self._lock:
            kept = self._kept.get(commitment.commitment_key)
            if kept is None or commitment.state not in NEXT_STATES[kept.state]:
                return False
            self._kept[commitment.commitment_key] = commitment
            return True

    def find(self, side: Side, transaction_uid: str) -> Commitment | None:
        """Return the first transaction of a UID."""
        kept = (one for one in list(self._kept.values()) if one.side is side)
        return next((one for one in kept if one.request.transaction_uid == transaction_uid), None)

    def due(
        self, *, now: float, limit: int, own_ae_titles: Collection[str] = (), but: Collection[str] = ()
    ) -> list[Commitment]:
        """Return open transactions that something is to be done about, the longest due first."""
        due = [
            one
            for one in list(self._kept.values())
            if one.state in OPEN_STATES
            and one.due_at <= now
            and (not own_ae_titles or one.own_ae_title in own_ae_titles)
            and one.own_ae_title not in but
        ]
        return sorted(due, key=lambda one: (one.due_at, one.commitment_key))[: max(0, limit)]

    def recent(self, *, limit: int) -> list[Commitment]:
        """Return transactions, the one that was begun last first."""
        return list(reversed(self._kept.values()))[: max(0, limit)]

    def forget(self, *, ended_before: float) -> int:
        """Drop transactions that are not open and changed last before a time; return how many."""
        with self._lock:
            gone = [
                key for key, one in self._kept.items() if one.state not in OPEN_STATES and one.changed_at < ended_before
            ]
            for key in gone:
                del self._kept[key]
            return len(gone)
