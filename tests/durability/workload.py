"""Operations that reach every place where a node can be killed: batches, large instances, new versions, deletes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from isocenter.domain.identifiers import InstanceIdentifier
from tests.durability.client import Client
from tests.support.instances import identify
from tests.support.small_instances import SmallInstance, make_instance

SMALL_BYTES = 3000
LARGE_BYTES = 200_000
"""Above the spool's threshold of the tests, and in several writes."""
BATCH = 4


class Workload:
    """One sender's operations in rounds, each on instances that only it owns."""

    def __init__(self, sender: int) -> None:
        self._sender = sender
        self._seed = 0
        self._last = 0
        self._rounds = 0

    def _new(self, *, study: int, size_bytes: int) -> SmallInstance:
        self._last += 1
        identifier = identify(self._sender * 1000 + study, 1 + self._last % 2, self._last)
        return self._version(identifier, size_bytes=size_bytes)

    def _version(self, identifier: InstanceIdentifier, *, size_bytes: int) -> SmallInstance:
        self._seed += 1
        return make_instance(identifier, seed=self._seed, size_bytes=size_bytes + self._seed % 7 * 128)

    def iter_round(self) -> Iterator[Callable[[Client], object]]:
        """Yield the operations of a round."""
        self._rounds += 1
        study = self._rounds % 5 + 1
        batch = [self._new(study=study, size_bytes=SMALL_BYTES) for _ in range(BATCH)]
        large = self._new(study=study, size_bytes=LARGE_BYTES)
        yield lambda client: client.store(batch)
        yield lambda client: client.store([large])
        first, second = batch[0].identifier, batch[1].identifier
        yield lambda client: client.store([self._version(first, size_bytes=SMALL_BYTES)])
        mixed = [
            self._new(study=study, size_bytes=SMALL_BYTES),
            self._new(study=study, size_bytes=LARGE_BYTES),
            self._version(large.identifier, size_bytes=LARGE_BYTES),
        ]
        yield lambda client: client.store(mixed)
        yield lambda client: client.delete(second)
        yield lambda client: client.delete(mixed[1].identifier)
        if self._rounds % 3 == 0:
            yield lambda client: client.store([self._version(second, size_bytes=SMALL_BYTES)])
