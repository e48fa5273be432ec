"""What clients sent and what was acknowledged, kept outside of the server: the truth that it is held against.

Each instance is owned by one client, which does one thing with it at a time. Between operations it has one state, the
digest of its bytes or ABSENT; while an operation is under way, and after one whose answer never came, it may be in the
state before or in the state behind it.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

from isocenter.domain.identifiers import InstanceIdentifier
from tests.support.small_instances import SmallInstance, digest_of

ABSENT = ""
LOST = r"; possible is |The pack that held the instance is not there|no longer match their checksum|ends before the"
"""How a loss reads: another state than an acknowledged one, or an instance that is listed and cannot be read."""


class Violated(AssertionError):
    """The archive broke a promise."""


@dataclass(slots=True)
class _Entry:
    possible: frozenset[str]
    frames: dict[str, str] = field(default_factory=dict)
    """By the digest of everything that was ever sent, the digest of its frame."""


class History:
    """The states that every instance may be in."""

    def __init__(self) -> None:
        self._entries: dict[InstanceIdentifier, _Entry] = {}
        self._order: list[InstanceIdentifier] = []
        self._senders: dict[str, InstanceIdentifier] = {}
        self._touched: set[InstanceIdentifier] = set()
        self._lock = threading.RLock()
        self.acknowledged = 0

    def begin_store(self, instance: SmallInstance, *, may_replace: bool = True) -> frozenset[str]:
        """Note that bytes are about to be sent; return the states before, for `refused`."""
        digest = instance.digest
        with self._lock:
            entry = self._entries.get(instance.identifier)
            if entry is None:
                entry = self._entries[instance.identifier] = _Entry(frozenset({ABSENT}))
                self._order.append(instance.identifier)
            before = entry.possible
            entry.frames[digest] = digest_of(instance.frame)
            self._senders[digest] = instance.identifier
            self._touched.add(instance.identifier)
            if may_replace or ABSENT in before:
                entry.possible = before | {digest}
            return before

    def begin_delete(self, identifier: InstanceIdentifier) -> frozenset[str]:
        """Note that a delete is about to be asked for; return the states before."""
        with self._lock:
            entry = self._entries[identifier]
            before = entry.possible
            entry.possible = before | {ABSENT}
            self._touched.add(identifier)
            return before

    def acknowledge(self, identifier: InstanceIdentifier, state: str) -> None:
        """Note that an operation was acknowledged: from now on only this state is right."""
        with self._lock:
            self._entries[identifier].possible = frozenset({state})
            self.acknowledged += 1

    def refused(self, identifier: InstanceIdentifier, before: frozenset[str]) -> None:
        """Note that an operation was refused: it must have had no effect."""
        with self._lock:
            self._entries[identifier].possible = before

    def observe(self, identifier: InstanceIdentifier, state: str) -> None:
        """Hold what the archive shows against what it may show; what was open is settled by it."""
        with self._lock:
            entry = self._entries.get(identifier)
            if entry is None:
                raise Violated(f"{identifier.sop_instance_uid} is there and was never sent")
            if state not in entry.possible:
                raise Violated(
                    f"{identifier.sop_instance_uid} is {state or 'absent'}; possible is "
                    f"{' or '.join(sorted(one or 'absent' for one in entry.possible))}"
                )
            entry.possible = frozenset({state})

    def require_sent(self, identifier: InstanceIdentifier, digest: str) -> None:
        """Hold bytes that a reader got against all that were ever sent under that identity (R3)."""
        with self._lock:
            if digest not in self._entries[identifier].frames:
                raise Violated(f"a reader of {identifier.sop_instance_uid} got bytes that nobody sent")

    def require_frame_sent(self, identifier: InstanceIdentifier, frame_digest: str) -> None:
        """Hold a frame that a reader got against all that were ever sent under that identity (R3)."""
        with self._lock:
            if frame_digest not in self._entries[identifier].frames.values():
                raise Violated(f"a reader of {identifier.sop_instance_uid} got a frame that nobody sent")

    def frame_digest(self, identifier: InstanceIdentifier) -> str:
        """Return the digest of the frame of what is stored."""
        with self._lock:
            return self._entries[identifier].frames[self.current(identifier)]

    def identifier_of(self, digest: str) -> InstanceIdentifier:
        """Return under which identity some bytes were sent."""
        with self._lock:
            identifier = self._senders.get(digest)
        if identifier is None:
            raise Violated("the archive gives bytes that nobody sent")
        return identifier

    def one_of_the_latest(self, numbers: random.Random, latest: int) -> InstanceIdentifier | None:
        """Return one of the identities sent latest, None where there is none yet."""
        with self._lock:
            return numbers.choice(self._order[-latest:]) if self._order else None

    def possible(self, identifier: InstanceIdentifier) -> frozenset[str]:
        """Return the states that an instance may be in."""
        with self._lock:
            return self._entries[identifier].possible

    def current(self, identifier: InstanceIdentifier) -> str:
        """Return the one state that an instance is known to be in."""
        [state] = self.possible(identifier)
        return state

    def identifiers(self) -> list[InstanceIdentifier]:
        """Return every identity that was ever sent."""
        with self._lock:
            return list(self._entries)

    def take_touched(self) -> list[InstanceIdentifier]:
        """Return the identities that something was done with since the last call."""
        with self._lock:
            touched = list(self._touched)
            self._touched.clear()
            return touched

    def settled(self) -> dict[InstanceIdentifier, str]:
        """Return the digest of everything that is there; every state must have been observed or acknowledged."""
        with self._lock:
            states = {identifier: entry.possible for identifier, entry in self._entries.items()}
        assert all(len(possible) == 1 for possible in states.values()), "look before you compare"
        digests = {identifier: next(iter(possible)) for identifier, possible in states.items()}
        return {identifier: digest for identifier, digest in digests.items() if digest != ABSENT}

    def observe_absent(self, present: Iterable[InstanceIdentifier]) -> None:
        """Settle everything that the archive does not list as absent."""
        listed = set(present)
        for identifier in self.identifiers():
            if identifier not in listed:
                self.observe(identifier, ABSENT)
