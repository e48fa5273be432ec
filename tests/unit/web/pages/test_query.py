from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from starlette.applications import Starlette

from isocenter.domain.audit import AuditRecord
from isocenter.domain.errors import Conflict, NotFound
from isocenter.domain.identifiers import Scope
from isocenter.domain.principal import LOCAL_OWNER, READER_ACTIONS, Principal
from isocenter.domain.query import SearchRow
from isocenter.web.console.console import Console
from isocenter.web.console.section import QUERY
from isocenter.web.pages.query import query_routes
from isocenter.web.pages.query_exchange import (
    Found,
    Order,
    PeerFailed,
    PeerKind,
    PeerRow,
    Retrieval,
    RetrievalState,
)
from isocenter.web.pages.query_filter import PAGE_COUNT, QueryFilter
from tests.support.asgi_client import AsgiClient
from tests.support.studies_listed import listed

HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'{{7*7}}\u202e"
PACS = PeerRow("PACS@host:104", "PACS", PeerKind.DIMSE, "PACS@host:104", "AE table")
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}


@dataclass
class Archives:
    """Other archives in memory: what they answer, and what they were asked."""

    rows: Sequence[SearchRow] = ()
    failure: PeerFailed | None = None
    kept_found: Found | None = None
    jobs: list[Retrieval] = field(default_factory=list)
    searched: list[QueryFilter] = field(default_factory=list)
    ordered: list[Order] = field(default_factory=list)
    known: Sequence[PeerRow] = (PACS,)

    def peers(self) -> Sequence[PeerRow]:
        return self.known

    def kept(self, principal: Principal, state: QueryFilter) -> Found | None:
        return self.kept_found

    async def search(self, principal: Principal, state: QueryFilter) -> Found:
        self.searched.append(state)
        if self.failure is not None:
            raise self.failure
        if state.peer != PACS.key:
            raise NotFound("This archive is not configured.")
        return Found(self.rows, False, 0.0, 0.1)

    async def series(self, principal: Principal, peer: str, study_instance_uid: str) -> Sequence[SearchRow]:
        return [listed({"SeriesInstanceUID": "1.2.9", "SeriesDescription": HOSTILE, "SeriesNumber": HOSTILE})]

    async def echo(self, peer: str) -> str:
        if self.failure is not None:
            raise self.failure
        return "PACS answers."

    def studies_here(self, principal: Principal, study_instance_uids: Sequence[str]) -> Mapping[str, tuple[int, int]]:
        return {"1.2.1": (1, 4)}

    def series_here(self, principal: Principal, study_instance_uid: str) -> Mapping[str, int]:
        return {}

    async def retrieve(self, principal: Principal, order: Order) -> Retrieval:
        if any(one.scope == order.scope for one in self.ordered):
            raise Conflict("This is being retrieved already.")
        self.ordered.append(order)
        return retrieval(1)

    async def cancel(self, number: int) -> Retrieval:
        return self._find(number)

    async def retrievals(self) -> Sequence[Retrieval]:
        return self.jobs

    async def retrieval(self, number: int) -> Retrieval:
        return self._find(number)

    def _find(self, number: int) -> Retrieval:
        found = next((one for one in self.jobs if one.number == number), None)
        if found is None:
            raise NotFound("There is no retrieval of that number.")
        return found


def retrieval(number: int) -> Retrieval:
    return Retrieval(
        number=number,
        peer="PACS",
        scope=Scope("1.2.1"),
        label=HOSTILE,
        asked_by="jane",
        state=RetrievalState.RUNNING,
        way="C-MOVE",
        asked_at=0.0,
        began_at=1.0,
        ended_at=None,
        expected=40,
        completed=10,
        failed=2,
        here=0,
        elapsed_s=5.0,
    )


def _study(number: int, **values: str) -> SearchRow:
    counts = {"NumberOfStudyRelatedSeries": "1", "NumberOfStudyRelatedInstances": "4"}
    return listed({"StudyInstanceUID": f"1.2.{number}", "PatientName": f"Patient^Nr{number}"} | counts | values)


def _client(
    archives: Archives, *, principal: Principal = LOCAL_OWNER, records: list[AuditRecord] | None = None
) -> AsgiClient:
    console = Console(authenticate=lambda headers: principal, login_path=None, sections=(QUERY,))
    audit = None if records is None else records.append
    return AsgiClient(Starlette(routes=query_routes(console, archives, audit=audit)))


def _post(client: AsgiClient, path: str, **form: str) -> str:
    answer = client.request("POST", path, headers=FORM, content=urlencode(form).encode())
    assert answer.status_code in (303, 403, 404), answer.text
    return answer.headers.get("location", "") if answer.status_code == 303 else str(answer.status_code)


def test_without_another_archive_the_page_says_how_to_name_one() -> None:
    page = _client(Archives(known=())).get("/query").text
    assert "remotes = [" in page
    assert "<form class=" not in page


def test_nothing_is_asked_before_an_archive_is_chosen() -> None:
    archives = Archives([_study(1)])
    page = _client(archives).get("/query").text
    assert archives.searched == []
    assert '<option value="PACS@host:104">' in page


def test_a_search_shows_studies_with_what_of_them_is_here() -> None:
    page = _client(Archives([_study(1), _study(2)])).get("/query?peer=PACS@host:104&patient=pat").text
    assert "2 studies at PACS" in page
    assert "Patient, Nr1" in page
    assert 'data-presence="all"' in page
    assert 'data-presence="none"' in page
    assert 'value="pat"' in page


def test_what_is_here_whole_is_not_offered_to_be_retrieved() -> None:
    page = _client(Archives([_study(1)])).get("/query?peer=PACS@host:104").text
    assert 'href="/studies/1.2.1"' in page
    assert 'action="/query/retrieve"' not in page


def test_pages_come_from_what_was_answered() -> None:
    rows = [_study(number) for number in range(1, PAGE_COUNT + 3)]
    archives = Archives(rows, kept_found=Found(rows, False, 0.0, 0.1))
    page = _client(archives).get("/query?peer=PACS@host:104&page=2&kept=1").text
    assert archives.searched == []
    assert f"{PAGE_COUNT + 1}–{PAGE_COUNT + 2} of {PAGE_COUNT + 2}" in page
    assert 'rel="prev"' in page


def test_a_part_that_refreshes_itself_never_asks_an_archive() -> None:
    archives = Archives([_study(1)])
    answer = _client(archives).get("/query?peer=PACS@host:104&kept=1", headers={"HX-Request": "true"})
    assert answer.status_code == 204
    assert archives.searched == []


def test_a_failure_is_told_in_words() -> None:
    failure = PeerFailed("PACS cannot be reached.", meaning="Nobody listens.", remedy="Start it.", key="transport:x")
    page = _client(Archives(failure=failure)).get("/query?peer=PACS@host:104").text
    for part in ("PACS cannot be reached.", "Nobody listens.", "Start it.", "transport:x", 'role="alert"'):
        assert part in page


def test_a_number_of_any_length_is_not_found() -> None:
    assert _client(Archives()).get(f"/query/retrievals/{'9' * 4_301}").status_code == 404


def test_an_archive_that_is_not_known_is_not_found() -> None:
    assert _client(Archives()).get("/query?peer=http://inner:80").status_code == 404


def test_values_of_archives_and_addresses_are_only_text() -> None:
    row = _study(3, PatientName=HOSTILE, PatientID=HOSTILE, StudyDescription=HOSTILE, ModalitiesInStudy=HOSTILE)
    archives = Archives([row], jobs=[retrieval(1)])
    parameters = dict.fromkeys(("patient", "id", "accession", "description", "modality"), HOSTILE)
    page = _client(archives).get("/query", params=parameters | {"peer": PACS.key, "opened": "1.2.3"}).text
    for shown in (page, _client(archives).get("/query/retrievals/1").text):
        assert "<script>alert" not in shown
        assert "<img src=x" not in shown
        assert " style=" not in shown
    assert "<bdi>" in page


def test_a_study_without_a_uid_offers_nothing() -> None:
    page = _client(Archives([listed({"PatientName": "A^B"})])).get("/query?peer=PACS@host:104").text
    assert 'action="/query/retrieve"' not in page


def test_a_study_is_ordered_and_the_search_is_gone_back_to() -> None:
    archives, records = Archives([_study(2)]), list[AuditRecord]()
    target = _post(
        _client(archives, records=records),
        "/query/retrieve",
        peer=PACS.key,
        study="1.2.2",
        label="Nr2",
        expected="4",
        back="peer=PACS%40host%3A104&patient=x&evil=//elsewhere",
    )
    assert archives.ordered == [Order(PACS.key, Scope("1.2.2"), "Nr2", 4)]
    assert target.startswith("/query?peer=PACS%40host%3A104&patient=x&kept=1&told=")
    assert [(one.operation, one.resource["study"], one.status) for one in records] == [
        ("retrieve-from-archive", "1.2.2", None),
        ("retrieve-from-archive", "1.2.2", 303),
    ]


def test_a_reader_is_offered_no_retrieval_and_refused_one() -> None:
    reader, archives = Principal("reader", READER_ACTIONS), Archives([_study(2)], jobs=[retrieval(1)])
    client = _client(archives, principal=reader)
    assert 'action="/query/retrieve"' not in client.get("/query?peer=PACS@host:104").text
    assert 'action="/query/cancel"' not in client.get("/query/retrievals").text
    assert _post(client, "/query/retrieve", peer=PACS.key, study="1.2.2") == "403"
    assert archives.ordered == []


def test_a_form_with_an_impossible_uid_is_refused() -> None:
    answer = _client(Archives()).request("POST", "/query/retrieve", headers=FORM, content=b"peer=x&study=../etc")
    assert answer.status_code == 400


def test_progress_tells_remaining_completed_failed_and_rate() -> None:
    page = _client(Archives(jobs=[retrieval(7)])).get("/query/retrievals/7").text
    for part in ("10 of 40 come", "2 failed", "28 remaining", "2.0/s", 'value="30"', "C-MOVE"):
        assert part in page
    assert 'action="/query/cancel"' in page


def test_failed_instances_are_named_with_their_reasons() -> None:
    ended = replace(
        retrieval(3),
        state=RetrievalState.INCOMPLETE,
        outcome="38 of 40 instances are here.",
        failures=(("1.2.3.4", "the archive could not send it"),),
        failures_left_out=1,
    )
    page = _client(Archives(jobs=[ended])).get("/query/retrievals/3").text
    for part in ("38 of 40 instances are here.", "<code>1.2.3.4</code>", "the archive could not send it", "and 1 more"):
        assert part in page
    assert 'action="/query/cancel"' not in page


def test_a_retrieval_that_is_not_known_is_not_found() -> None:
    assert _client(Archives()).get("/query/retrievals/9").status_code == 404


def test_an_echo_tells_what_was_answered() -> None:
    told = _post(_client(Archives()), "/query/echo", peer=PACS.key, back="")
    assert told.startswith("/query?told=")
