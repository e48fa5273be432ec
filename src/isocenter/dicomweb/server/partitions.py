"""Data partitions at the edge: the list of them, and the way of a request into one (dicom-service 10)."""

from __future__ import annotations

from starlette.responses import Response

from isocenter.archive.partition import begin_partition, list_partitions, require_partition
from isocenter.dicomweb.codec.partition_json import encode_partitions
from isocenter.dicomweb.server.service import Call
from isocenter.domain.errors import InvalidRequest

BEGINNING = frozenset({"store", "add-workitem"})
"""Operations that begin a partition which is not there yet."""
REMEMBERED_MAX = 10_000
"""Partitions that are entered without asking; a service with one for each customer has some hundreds."""

_IS_OFF = "Data partitions feature is disabled."
_IS_MISSING = "PartitionName value is missing in the route segment."


async def read_partitions(call: Call) -> Response:
    """Return all partitions."""
    if not call.service.has_partitions:
        raise InvalidRequest(_IS_OFF)
    found = await call.service.run(list_partitions, call.archive, call.principal)
    return Response(encode_partitions(found), media_type="application/json; charset=utf-8")


class PartitionGate:
    """Let requests into partitions; those that were found once are remembered, for none ever goes."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    async def enter(self, call: Call, operation: str) -> None:
        """Raise InvalidRequest where a request must not name a partition, must name one, or names one that is not.

        Under the standard's root a path without a partition means the default one, so that viewers find their way.
        """
        name = call.parameters.get("partition")
        if name is None:
            if call.service.has_partitions and call.dialect.is_azure:
                raise InvalidRequest(_IS_MISSING)
            return
        if not call.service.has_partitions:
            raise InvalidRequest(_IS_OFF)
        if name in self._known:
            return
        if operation in BEGINNING:
            await call.service.run(begin_partition, call.archive, call.principal, name)
        else:
            await call.service.run(require_partition, call.archive, name)
        if len(self._known) < REMEMBERED_MAX:
            self._known.add(name)
