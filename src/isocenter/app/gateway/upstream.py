"""The archive behind a gateway: searched by C-FIND over an association that is kept while a search goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from isocenter.app.finding import row_of
from isocenter.dicom.dataset import decode_dataset, presence_of
from isocenter.dicom.json_reader import parse_dicom_json
from isocenter.dicom.part10 import encoding_of
from isocenter.dimse.scu.client import Opener, ProposedContext
from isocenter.dimse.scu.find import STUDY_ROOT_FIND, find
from isocenter.dimse.shell.connection import Connection
from isocenter.dimse.ul.errors import AssociationOver
from isocenter.domain.application_entity import RemoteAe
from isocenter.domain.errors import InvalidDataset, InvalidRequest, Refused, Unavailable
from isocenter.domain.values import Values
from isocenter.routing.translation.identifier import Document


@dataclass(frozen=True, slots=True)
class Row:
    """What the archive tells of one study, series or instance."""

    attributes: Mapping[str, Any]
    """In the DICOM JSON model."""
    values: Values
    """Their texts, with an empty entry for what has no value."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """How the archive is called."""

    opener: Opener
    remote: RemoteAe

    @asynccontextmanager
    async def searching(self) -> AsyncIterator[Searching]:
        """Keep an association for the length of a block. Raises Unavailable for whatever the archive does wrong."""
        with_name = f"{self.remote.ae_title} at {self.remote.host}:{self.remote.port}"
        with upstream_errors(with_name):
            async with self.opener.association(self.remote, [ProposedContext(STUDY_ROOT_FIND)]) as association:
                yield Searching(association)


class upstream_errors:  # noqa: N801 - used as a function is
    """Turn what an archive behind us does into what a caller before us is told: that the service cannot do it now."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, AssociationOver):
            raise Unavailable(f"The association with {self._name} ended early.") from error
        if isinstance(error, Refused) and not isinstance(error, InvalidRequest):
            raise Unavailable(f"{self._name}: {error.message}") from error


@dataclass(frozen=True, slots=True)
class Searching:
    """An association for searches."""

    association: Connection

    async def find(self, document: Document, *, limit: int) -> list[Row]:
        """Return what an identifier finds, at most `limit` rows; the search is cancelled there."""
        try:
            identifier = parse_dicom_json(document)
        except InvalidDataset as error:
            raise InvalidRequest(error.message) from error
        matches = await find(self.association, identifier, limit=limit)
        return [
            Row(row_of(match), presence_of(decode_dataset(match.content, encoding_of(match.transfer_syntax_uid))))
            for match in matches
        ]
