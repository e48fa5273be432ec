"""Ask a DICOMweb service: QIDO-RS for what it has, WADO-RS for what is wanted. All of it waits for the network."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import islice

from isocenter.app.console.query_dimse import search_row
from isocenter.app.console.query_failures import web_failures
from isocenter.app.console.query_peers import WebPeer
from isocenter.app.fetching import list_instances
from isocenter.app.received_chunks import receive_chunks
from isocenter.app.secrets_by_name import ReadSecret
from isocenter.app.translating.upstream import Row, Upstream
from isocenter.app.web_target import open_web_client
from isocenter.archive.archive import Archive
from isocenter.archive.store import begin_store
from isocenter.dicomweb.client.client import DicomwebClient, RetrievedInstance
from isocenter.domain.attributes import BY_KEYWORD, MODALITIES_IN_STUDY
from isocenter.domain.attributes import NUMBER_OF_SERIES_RELATED_INSTANCES as SERIES_INSTANCES
from isocenter.domain.attributes import NUMBER_OF_STUDY_RELATED_INSTANCES as STUDY_INSTANCES
from isocenter.domain.attributes import NUMBER_OF_STUDY_RELATED_SERIES as STUDY_SERIES
from isocenter.domain.errors import Unavailable
from isocenter.domain.fitting import fits
from isocenter.domain.identifiers import Level, Scope
from isocenter.domain.principal import Principal
from isocenter.domain.query import Query, SearchRow
from isocenter.routing.translation.json_row import JsonRow
from isocenter.routing.translation.profile import PROFILES
from isocenter.routing.translation.search import translate_search
from isocenter.web.pages.query_exchange import PeerFailed

WADO = "WADO-RS"
SOURCE = "query-retrieve"
SERIES_MAX = 2000
"""Of one study."""
LOOKED_THROUGH_MAX = 5000
"""Rows of a service that cannot match all keys, before a person is asked to narrow the search: some seconds."""
_STUDY_TAGS = (
    *(BY_KEYWORD[one].tag for one in ("StudyDescription", "PatientName", "PatientID", "AccessionNumber", "StudyTime")),
    MODALITIES_IN_STUDY,
    STUDY_INSTANCES,
    STUDY_SERIES,
)
_SERIES_TAGS = (*(BY_KEYWORD[one].tag for one in ("SeriesDescription", "SeriesNumber", "Modality")), SERIES_INSTANCES)


@dataclass(slots=True)
class WebFetch:
    """A retrieval under way: written by its thread, read and stopped by others."""

    is_stopped: threading.Event = field(default_factory=threading.Event)
    listed: list[str] = field(default_factory=list)
    """SOP Instance UIDs that the service says it has."""
    stored: int = 0
    failed: int = 0
    reason: str = ""
    """Why the first of those that failed could not be kept."""
    _client: DicomwebClient | None = None

    def stop(self) -> None:
        """Have it end: whoever waits for bytes is told that the connection broke."""
        self.is_stopped.set()
        if self._client is not None:
            self._client.interrupt()

    @contextmanager
    def over(self, client: DicomwebClient) -> Iterator[None]:
        """Let `stop` reach a client for the length of a block."""
        self._client = client
        try:
            yield
        finally:
            self._client = None


class OpenClients:
    """Clients that are waiting for a service, so that the end of the node need not wait for it too."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clients: set[DicomwebClient] = set()
        self.are_given_up = threading.Event()
        """Set when nothing more is to be asked."""

    @contextmanager
    def noting(self, client: DicomwebClient) -> Iterator[DicomwebClient]:
        """Have a client among them for the length of a block, and close it."""
        with self._lock:
            if self.are_given_up.is_set():
                client.close()
                raise Unavailable("The search was given up.")
            self._clients.add(client)
        try:
            with client:
                yield client
        finally:
            with self._lock:
                self._clients.discard(client)

    def interrupt(self) -> None:
        """End all their requests, for good."""
        with self._lock:
            self.are_given_up.set()
            for client in self._clients:
                client.interrupt()


@dataclass(frozen=True, slots=True)
class WebAsking:
    """One service, and what it is shown."""

    peer: WebPeer
    read_secret: ReadSecret
    timeout_s: float
    clients: OpenClients

    def echo(self) -> str:
        """Return what it answered to a search for one study, in a sentence."""
        began = time.perf_counter()
        with web_failures(self.peer.row.name), self._open() as client:
            client.search(Level.STUDY, [("limit", "1")])
        return f"{self.peer.row.name} answers a search in {(time.perf_counter() - began) * 1000:.0f} ms."

    def studies(self, query: Query, *, limit: int) -> list[SearchRow]:
        """Return studies that match, at most `limit`; what the service cannot match is matched here."""
        return self._rows(query, _STUDY_TAGS, limit=limit)

    def series(self, study_instance_uid: str) -> list[SearchRow]:
        """Return the series of a study."""
        query = Query(Level.SERIES, study_instance_uid=study_instance_uid)
        return self._rows(query, _SERIES_TAGS, limit=SERIES_MAX)

    def _rows(self, query: Query, tags: tuple[int, ...], *, limit: int) -> list[SearchRow]:
        profile = PROFILES[self.peer.target.profile]
        search = translate_search(query, profile, return_tags=tags)
        with web_failures(self.peer.row.name), self._open() as client:
            given_up = self.clients.are_given_up
            upstream = Upstream(self.peer.row.name, client, profile, given_up)
            rows = upstream.iter_rows(search.requests, query.level, is_cancelled=given_up.is_set)
            fitting = (row for row in _looked_through(rows) if all(fits(match, row) for match in search.residual))
            return [search_row(row) for row in islice(fitting, limit)]

    def fetch(
        self, scope: Scope, fetch: WebFetch, *, archive: Archive, principal: Principal, on_stored: Callable[[], None]
    ) -> None:
        """Store what the service sends of a study or series; raises PeerFailed where it stops before the end."""
        with web_failures(self.peer.row.name), self._open() as client, fetch.over(client):
            fetch.listed = [one.sop_instance_uid for one in list_instances(client, scope)]
            on_stored()
            for retrieved in client.retrieve(scope):
                if fetch.is_stopped.is_set():
                    return
                self._store(retrieved, scope, fetch, archive=archive, principal=principal)
                on_stored()

    def _store(
        self, retrieved: RetrievedInstance, scope: Scope, fetch: WebFetch, *, archive: Archive, principal: Principal
    ) -> None:
        reception = begin_store(archive, principal, source=SOURCE, study_instance_uid=scope.study_instance_uid)
        told = "The retrieval was cancelled."
        reason = receive_chunks(reception, retrieved.chunks, is_stopped=fetch.is_stopped, told=told)
        if reason:
            fetch.failed += 1
            fetch.reason = fetch.reason or reason
        else:
            fetch.stored += 1

    def _open(self) -> AbstractContextManager[DicomwebClient]:
        return self.clients.noting(open_web_client(self.peer.target, self.read_secret, timeout_s=self.timeout_s))


def _looked_through(rows: Iterable[Row]) -> Iterator[JsonRow]:
    """Yield rows, within a bound; raises PeerFailed beyond it, so that nothing is told as all that there is."""
    for number, row in enumerate(rows):
        if number == LOOKED_THROUGH_MAX:
            raise PeerFailed(
                f"The service cannot match all of this, and {number:,} of its studies were looked through.",
                remedy="Add a patient, an accession number or a date, which it can match.",
            )
        yield JsonRow(row)
