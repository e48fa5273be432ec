"""A transaction of the index that is under way: what its parts write with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import apsw

from isocenter.storage.sqlite.ledger_transaction import LedgerTransaction
from isocenter.storage.sqlite.recollection import Counters, Recollection


@dataclass(frozen=True, slots=True)
class Writing:
    """A transaction that is under way."""

    connection: apsw.Connection
    queries: Mapping[str, str]
    known: Recollection
    counters: Counters
    ledger: LedgerTransaction
    """It is to be written at the end."""
    now: float
    """The timestamp of feed rows."""
    erase_due_at: float = field(kw_only=True)
