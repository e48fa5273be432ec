"""Storage commitment transactions in SQLite."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import apsw
import orjson

from isocenter.domain.commitment import (
    NEXT_STATES,
    OPEN_MAX,
    Commitment,
    CommitmentRequest,
    CommitmentResult,
    CommitmentState,
    InstanceReference,
    NewCommitment,
    Side,
)
from isocenter.domain.errors import Overloaded
from isocenter.storage.sqlite.connections import ReaderPool, Row, fetch
from isocenter.storage.sqlite.writer import IndexWriter


class SqliteCommitments:
    """Keep transactions in the file of the index."""

    def __init__(self, writer: IndexWriter, readers: ReaderPool, queries: Mapping[str, str]) -> None:
        self._writer = writer
        self._readers = readers
        self._queries = queries

    def open(self, new: NewCommitment, *, due_at: float) -> Commitment:
        """Keep a new transaction, marked as a duplicate where one of that side has its UID."""
        opened = self._writer.transact(lambda connection: self._open(connection, new, due_at))
        if opened is None:
            raise Overloaded()
        return opened

    def _open(self, connection: apsw.Connection, new: NewCommitment, due_at: float) -> Commitment | None:
        if connection.execute(self._queries["count_open_commitments"]).get >= OPEN_MAX:
            return None
        named = (new.side.value, new.request.transaction_uid)
        is_duplicate = bool(fetch(connection, self._queries["commitment_of_transaction"], named))
        state = CommitmentState.REQUESTED if new.side is Side.PROVIDER else CommitmentState.ASKED
        pairs = [(one.sop_class_uid, one.sop_instance_uid) for one in new.request.references]
        row = (
            *named,
            new.peer_ae_title,
            new.own_ae_title,
            new.requested_at,
            state.value,
            int(is_duplicate),
            due_at,
            new.requested_at,
            new.request.named_count,
            orjson.dumps(pairs).decode(),
        )
        return Commitment(
            commitment_key=connection.execute(self._queries["insert_commitment"], row).get,
            side=new.side,
            request=new.request,
            peer_ae_title=new.peer_ae_title,
            own_ae_title=new.own_ae_title,
            requested_at=new.requested_at,
            state=state,
            is_duplicate=is_duplicate,
            result=None,
            attempts=0,
            due_at=due_at,
            changed_at=new.requested_at,
        )

    def replace(self, commitment: Commitment) -> bool:
        """Keep a transaction as it is now; return False where it is gone or has gone on since it was read."""
        row = (
            commitment.state.value,
            commitment.attempts,
            commitment.due_at,
            commitment.changed_at,
            commitment.problem,
            _encode_result(commitment.result),
            commitment.commitment_key,
        )

        def write(connection: apsw.Connection) -> bool:
            kept = connection.execute(self._queries["commitment_state"], (commitment.commitment_key,)).get
            if kept is None or commitment.state not in NEXT_STATES[CommitmentState(kept)]:
                return False
            connection.execute(self._queries["update_commitment"], row)
            return True

        return self._writer.transact(write)

    def find(self, side: Side, transaction_uid: str) -> Commitment | None:
        """Return the first transaction of a UID."""
        found = self._read("commitment_of_transaction", side.value, transaction_uid)
        return found[0] if found else None

    def due(
        self, *, now: float, limit: int, own_ae_titles: Collection[str] = (), but: Collection[str] = ()
    ) -> list[Commitment]:
        """Return open transactions that something is to be done about, the longest due first."""
        only, never = (orjson.dumps(sorted(titles)).decode() for titles in (own_ae_titles, but))
        return self._read("due_commitments", now, max(0, limit), only, never)

    def recent(self, *, limit: int) -> list[Commitment]:
        """Return transactions, the one that was begun last first."""
        return self._read("recent_commitments", max(0, limit))

    def _read(self, name: str, *bindings: str | float) -> list[Commitment]:
        with self._readers.connection() as connection:
            rows = fetch(connection, self._queries[name], bindings)
        return [_commitment(row) for row in rows]

    def forget(self, *, ended_before: float) -> int:
        """Drop transactions that are not open and changed last before a time; return how many."""

        def write(connection: apsw.Connection) -> int:
            connection.execute(self._queries["forget_commitments"], (ended_before,))
            return connection.changes()

        return self._writer.transact(write)


def _encode_result(result: CommitmentResult | None) -> str | None:
    if result is None:
        return None
    committed = [(one.sop_class_uid, one.sop_instance_uid) for one in result.committed]
    failed = [(one.sop_class_uid, one.sop_instance_uid, int(reason)) for one, reason in result.failed]
    return orjson.dumps([committed, failed]).decode()


def _decode_result(text: str | None) -> CommitmentResult | None:
    if text is None:
        return None
    committed, failed = orjson.loads(text)
    return CommitmentResult(
        tuple(InstanceReference(*pair) for pair in committed),
        tuple((InstanceReference(sop_class, instance), reason) for sop_class, instance, reason in failed),
    )


def _commitment(row: Row) -> Commitment:
    key, side, transaction_uid, references, named_count, *others = row
    peer, own, requested_at, state, is_duplicate, result, attempts, due_at, changed_at, problem = others
    pairs = tuple(InstanceReference(*pair) for pair in orjson.loads(references))
    return Commitment(
        commitment_key=key,
        side=Side(side),
        request=CommitmentRequest(transaction_uid, pairs, named_count),
        peer_ae_title=peer,
        own_ae_title=own,
        requested_at=requested_at,
        state=CommitmentState(state),
        is_duplicate=bool(is_duplicate),
        result=_decode_result(result),
        attempts=attempts,
        due_at=due_at,
        changed_at=changed_at,
        problem=problem,
    )
