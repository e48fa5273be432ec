from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from isocenter.archive.archive import Archive
from isocenter.dicomweb.codec.azure_options import AzureOptions
from isocenter.dicomweb.server.dispatch import DicomwebApplication
from isocenter.dicomweb.server.service import Service
from isocenter.domain.audit import AuditRecord
from isocenter.domain.principal import LOCAL_OWNER, READER_ACTIONS, Principal
from isocenter.domain.workitem import WORKITEM_SIZE_MAX_BYTES, Workitem, WorkitemState
from isocenter.storage.memory import MemoryPartitions, MemoryWorkitems
from tests.support.asgi_call import Answer, ask
from tests.support.memory_archive import memory_archive
from tests.support.workitems import attribute, code, creation, discontinued, performed, texts, uid_of, workitem

JSON = {"accept": "application/dicom+json", "content-type": "application/dicom+json"}
LOCK, OTHER = "2.25.7771", "2.25.7772"
UID = uid_of(1)
AZURE, STANDARD = "/v2", "/dicom-web"
ROOTS = ["/v1.0-prerelease", "/v1", "/v2", "/dicom-web"]
EVERYWHERE = pytest.mark.parametrize("root", ROOTS)


@dataclass(frozen=True, slots=True)
class Edge:
    """The edge over an archive in memory, under every root."""

    archive: Archive
    service: Service

    def ask(
        self, method: str, path: str, body: object = None, *, headers: dict[str, str] | None = None, raw: bytes = b""
    ) -> Answer:
        path, _, query = path.partition("?")
        application = DicomwebApplication(self.service, root_path="/" + path.split("/")[1])
        content: Iterable[bytes] = [raw] if raw else [] if body is None else [json.dumps([body]).encode()]
        return ask(application, method, path, headers=JSON if headers is None else headers, body=content, query=query)

    def create(self, document: object = None, *, root: str = AZURE, query: str = "") -> Answer:
        return self.ask("POST", f"{root}/workitems{query}", creation() if document is None else document)

    def change(self, state: str, uid: str = LOCK, *, root: str = AZURE) -> Answer:
        wanted = {"00081195": attribute("UI", uid), "00741000": attribute("CS", state)}
        return self.ask("PUT", f"{root}/workitems/{UID}/state", wanted)

    def update(self, changes: object, uid: str = "", *, root: str = AZURE) -> Answer:
        return self.ask("POST", f"{root}/workitems/{UID}{f'?{uid}' if uid else ''}", changes)

    def cancel(self, request: object = None, *, root: str = AZURE, number: int = 1) -> Answer:
        return self.ask("POST", f"{root}/workitems/{uid_of(number)}/cancelrequest", request or {})

    def read(self, root: str = AZURE) -> dict[str, Any]:
        answer = self.ask("GET", f"{root}/workitems/{UID}")
        assert answer.status == 200
        found = json.loads(answer.body)
        return dict(found[0] if isinstance(found, list) else found)

    def found(self, query: str = "", root: str = AZURE) -> list[str]:
        answer = self.ask("GET", f"{root}/workitems?{query}")
        if answer.status == 204:
            return []
        assert answer.status == 200, answer.body
        return [one["00080018"]["Value"][0] for one in json.loads(answer.body)]

    def by(self, principal: Principal) -> Edge:
        return replace(self, service=replace(self.service, authenticate=lambda headers: principal))

    def over(self, workitems: MemoryWorkitems) -> Edge:
        archive = replace(self.archive, workitems=workitems)
        return Edge(archive, replace(self.service, archive=archive))


@pytest.fixture
def edge() -> Iterator[Edge]:
    with memory_archive() as archive, ThreadPoolExecutor(2) as executor, capture_logs():
        yield Edge(archive, Service(archive, executor, lambda headers: LOCAL_OWNER, body_idle_max_s=0.05))


# the flow


@EVERYWHERE
def test_a_workitem_is_created_found_claimed_performed_and_completed(edge: Edge, root: str) -> None:
    created = edge.create(root=root)
    url = f"http://127.0.0.1{root}/workitems/{UID}"
    assert (created.status, created.body) == (201, b"")
    assert created.headers["location"] == created.headers["content-location"] == url
    assert edge.found("ProcedureStepState=SCHEDULED", root) == [UID]
    claimed = edge.change("IN PROGRESS", root=root)
    assert (claimed.status, claimed.body) == (200, b"")
    assert "warning" not in claimed.headers
    updated = edge.update(performed(), LOCK, root=root)
    assert (updated.status, updated.body, updated.headers["content-location"]) == (200, b"", url)
    assert edge.change("COMPLETED", root=root).status == 200
    assert edge.read(root)["00741000"]["Value"] == ["COMPLETED"]
    assert edge.found("ProcedureStepState=COMPLETED", root) == [UID]


@EVERYWHERE
def test_no_answer_holds_the_lock(edge: Edge, root: str) -> None:
    edge.create(root=root)
    edge.change("IN PROGRESS", root=root)
    answers = [
        edge.ask("GET", f"{root}/workitems/{UID}"),
        edge.ask("GET", f"{root}/workitems?includefield=00081195"),
        edge.ask("GET", f"{root}/workitems?includefield=all"),
        edge.update({"00741202": attribute("LO", "x")}, LOCK, root=root),
        edge.change("COMPLETED", OTHER, root=root),
        edge.change("COMPLETED", LOCK, root=root),
        edge.cancel(root=root),
        edge.update({}, OTHER, root=root),
    ]
    for answer in answers:
        assert LOCK.encode() not in answer.body
        assert b"00081195" not in answer.body
        assert LOCK not in str(answer.headers)


def test_the_audit_log_does_not_learn_the_lock(edge: Edge) -> None:
    records: list[AuditRecord] = []
    audited = replace(edge, service=replace(edge.service, audit=records.append))
    audited.create()
    audited.change("IN PROGRESS")
    assert audited.update({"00741202": attribute("LO", "Night")}, LOCK).status == 200
    assert audited.found("PatientID=P1") == []
    assert [record.operation for record in records[::2]] == [
        "add-workitem",
        "change-state-workitem",
        "update-workitem",
        "query-workitem",
    ]
    assert LOCK not in repr(records)
    assert records[-1].uri.endswith("/v2/workitems?PatientID=P1")


# create


def test_the_uid_stands_in_the_query_or_in_the_attributes(edge: Edge) -> None:
    without = creation()
    del without["00080018"]
    answer = edge.create(without, query=f"?{uid_of(2)}")
    assert answer.headers["location"].endswith(f"/workitems/{uid_of(2)}")
    assert edge.create(creation(), query=f"?{UID}").status == 201
    mismatch = edge.create(creation(), query=f"?{uid_of(3)}")
    assert (mismatch.status, json.loads(mismatch.body)) == (
        400,
        "SOPInstanceUID in the payload does not match the workitem query parameter.",
    )
    assert edge.create(without).status == 400
    assert edge.create(without, query="?abc").status == 400


def test_what_the_published_samples_send_is_taken(edge: Edge) -> None:
    given = creation(
        t00081084=attribute("SQ", {}),
        t00380014=attribute("SQ", {}),
        t00404010=attribute("DT", "20211202115531.193"),
        t00741000=attribute("CS", "SCHEDULED"),
        t00741202=attribute("LO", "WORKLIST"),
        t0040e020=attribute("CS", "Type of Instances"),
    )
    del given["00080018"]
    assert edge.create(given, query="?2.25.00000000000000000000000000000000").status == 201
    [found] = json.loads(edge.ask("GET", f"{AZURE}/workitems?includefield=0040E020").body)
    assert found["0040E020"] == attribute("CS", "Type of Instances")
    assert found["00741202"] == attribute("LO", "WORKLIST")


def test_a_uid_that_is_in_use_is_a_conflict(edge: Edge) -> None:
    edge.create()
    again = edge.create()
    assert (again.status, json.loads(again.body)) == (
        409,
        "The workitem instance already exists. Try creating using a different UID.",
    )


def test_attributes_that_are_missing_are_named_in_a_json_string(edge: Edge) -> None:
    given = creation()
    del given["00741204"]
    answer = edge.create(given)
    assert (answer.status, answer.body) == (400, b"\"The required tag '(0074,1204)' is missing.\"")
    assert answer.headers["content-type"].startswith("application/dicom+json")


def test_the_standard_lets_out_what_may_be_empty(edge: Edge) -> None:
    given = {tag: value for tag, value in creation().items() if "Value" in value}
    assert edge.create(given).status == 400
    assert edge.create(given, root=STANDARD).status == 201
    assert edge.read()["00404021"] == {"vr": "SQ"}


@EVERYWHERE
@pytest.mark.parametrize("content_type", [None, "application/dicom", "text/plain"])
def test_a_body_that_is_no_dicom_json_is_refused(edge: Edge, root: str, content_type: str | None) -> None:
    edge.create()
    headers = {"accept": "*/*"} | ({} if content_type is None else {"content-type": content_type})
    raw = json.dumps([creation()]).encode()
    for method, path in (
        ("POST", "workitems"),
        ("POST", f"workitems/{UID}"),
        ("PUT", f"workitems/{UID}/state"),
        ("POST", f"workitems/{UID}/cancelrequest"),
    ):
        assert edge.ask(method, f"{root}/{path}", headers=headers, raw=raw).status == 415
    compressed = {**JSON, "content-encoding": "gzip"}
    assert edge.ask("POST", f"{root}/workitems", headers=compressed, raw=gzip.compress(raw)).status == 415


@pytest.mark.parametrize("accept", [None, "application/dicom", "application/data", "text/html"])
def test_answers_in_json_must_be_acceptable_before_anything_else(edge: Edge, accept: str | None) -> None:
    headers = {"content-type": "application/dicom+json"} | ({} if accept is None else {"accept": accept})
    for method, path in (("POST", "workitems?no-uid"), ("GET", "workitems?nonsense"), ("GET", "workitems/no-uid")):
        answer = edge.ask(method, f"{AZURE}/{path}", headers=headers, raw=b"[")
        assert (answer.status, answer.body) == (406, b"")


@EVERYWHERE
@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "The request body is missing."),
        (b"[", "The syntax of the request body is invalid."),
        (b"[{},{}]", "The syntax of the request body is invalid."),
        (b'[{"00100020": 1}]', "The syntax of the request body is invalid."),
        (b"\x00" * 10, "The syntax of the request body is invalid."),
    ],
)
def test_a_body_that_is_none_is_refused_and_the_next_request_served(
    edge: Edge, root: str, raw: bytes, message: str
) -> None:
    edge.create()
    paths = [("POST", "workitems"), ("POST", f"workitems/{UID}"), ("PUT", f"workitems/{UID}/state")]
    for method, path in paths:
        answer = edge.ask(method, f"{root}/{path}", raw=raw)
        assert answer.status == 400
        assert answer.body.decode().startswith(message)
    assert edge.found() == [UID]


def test_a_body_beyond_the_limit_is_refused(edge: Edge) -> None:
    large = b'[{"00400400":{"vr":"LT","Value":["' + b"x" * WORKITEM_SIZE_MAX_BYTES
    answer = edge.ask("POST", f"{AZURE}/workitems", raw=large)
    assert answer.status == 413
    assert answer.body == b"The request exceeded the allowed limit of 1048576 bytes."


# retrieve


def test_a_workitem_comes_as_an_object_or_in_an_array(edge: Edge) -> None:
    edge.create()
    url = f"workitems/{UID}"
    assert isinstance(json.loads(edge.ask("GET", f"{AZURE}/{url}").body), dict)
    assert isinstance(json.loads(edge.ask("GET", f"{STANDARD}/{url}").body), list)
    switched = replace(edge, service=replace(edge.service, azure=AzureOptions(workitem_in_array=True)))
    [found] = json.loads(switched.ask("GET", f"{AZURE}/{url}").body)
    assert found["00080018"]["Value"] == [UID]


def test_all_attributes_are_retrieved_as_they_were_given(edge: Edge) -> None:
    given = creation(t00104000=attribute("LT", "Ärzte"), t00404025=attribute("SQ", code("A"), code("B")))
    edge.create(given)
    found = edge.read()
    del given["00081195"]
    assert {tag: found[tag] for tag in given} == given


@EVERYWHERE
def test_what_is_not_there_is_not_found(edge: Edge, root: str) -> None:
    answers = [
        edge.ask("GET", f"{root}/workitems/{UID}"),
        edge.update({}, root=root),
        edge.change("IN PROGRESS", root=root),
        edge.cancel(root=root),
    ]
    for answer in answers:
        assert (answer.status, answer.body) == (404, b'"The workitem instance is not found."')


@EVERYWHERE
@pytest.mark.parametrize("uid", ["abc", "1" * 65, "1.2|"])
def test_what_is_no_uid_is_refused(edge: Edge, root: str, uid: str) -> None:
    for method, path in (("GET", uid), ("POST", uid), ("PUT", f"{uid}/state"), ("POST", f"{uid}/cancelrequest")):
        answer = edge.ask(method, f"{root}/workitems/{path}", {})
        assert answer.status == 400
        assert answer.body.startswith(b"DICOM Identifier is invalid.")


def test_content_that_cannot_be_read_is_our_fault(edge: Edge) -> None:
    edge.archive.workitems.create(workitem(1, content=b"{"), [])
    assert edge.ask("GET", f"{AZURE}/workitems/{UID}").status == 500


# update


@pytest.mark.parametrize("root", [AZURE, STANDARD])
def test_attributes_change_for_whoever_holds_the_lock(edge: Edge, root: str) -> None:
    label = {"00741202": attribute("LO", "Night")}
    edge.create()
    refused = edge.update(label, OTHER, root=root)
    assert (refused.status, json.loads(refused.body)) == (
        400,
        "Invalid TransactionUID for the specified Workitem Instance UID.",
    )
    assert edge.update(label, root=root).status == 200
    edge.change("IN PROGRESS")
    for uid in ("", OTHER):
        refused = edge.update(label, uid, root=root)
        assert (refused.status, json.loads(refused.body)) == (
            400,
            "The target URI did not reference a claimed Workitem.",
        )
        assert ("warning" in refused.headers) is (root == STANDARD)
    assert edge.update({"00741202": attribute("LO", "Day")}, LOCK, root=root).status == 200
    assert edge.read()["00741202"]["Value"] == ["Day"]


@pytest.mark.parametrize("changes", [{"00741000": attribute("CS", "COMPLETED")}, {"00100010": attribute("PN")}])
def test_what_may_not_change_is_refused(edge: Edge, changes: object) -> None:
    edge.create()
    answer = edge.update(changes)
    assert answer.status == 400
    assert answer.body.startswith(b"\"The attribute with tag '(")


def test_a_workitem_that_has_ended_is_not_updated(edge: Edge) -> None:
    edge.create()
    edge.cancel()
    answer = edge.update({"00741202": attribute("LO", "x")})
    assert (answer.status, json.loads(answer.body)) == (
        400,
        "The workitem instance is already in the final state 'CANCELED'. C300.",
    )


class _Interrupted(MemoryWorkitems):
    """Let somebody else claim a workitem between a request's look at it and its change."""

    def find(self, partition_name: str, sop_instance_uid: str) -> Workitem | None:
        found = super().find(partition_name, sop_instance_uid)
        if found is not None and found.revision == 1:
            self.replace(
                replace(found, revision=2, transaction_uid=OTHER, state=WorkitemState.IN_PROGRESS), (), revision=1
            )
        return found


@EVERYWHERE
@pytest.mark.parametrize("what", ["update", "change", "cancel"])
def test_whoever_is_overtaken_learns_of_it(edge: Edge, root: str, what: str) -> None:
    overtaken = edge.over(_Interrupted(MemoryPartitions()))
    overtaken.create()
    answer = {
        "update": lambda: overtaken.update({"00741202": attribute("LO", "x")}, root=root),
        "change": lambda: overtaken.change("IN PROGRESS", root=root),
        "cancel": lambda: overtaken.cancel(root=root),
    }[what]()
    assert answer.status == 409
    assert json.loads(answer.body).startswith("The workitem instance was changed by another request")


# change of state


MATRIX = """
    SCHEDULED    right  IN PROGRESS  200
    SCHEDULED    right  COMPLETED    400 C310
    SCHEDULED    right  CANCELED     400 C310
    IN PROGRESS  right  IN PROGRESS  400 C302
    IN PROGRESS  right  COMPLETED    200
    IN PROGRESS  right  CANCELED     200
    IN PROGRESS  wrong  IN PROGRESS  400 C301
    IN PROGRESS  wrong  COMPLETED    400 C301
    IN PROGRESS  wrong  CANCELED     400 C301
    COMPLETED    right  IN PROGRESS  400 C300
    COMPLETED    right  COMPLETED    200 B306
    COMPLETED    right  CANCELED     400 C300
    COMPLETED    wrong  IN PROGRESS  400 C301
    COMPLETED    wrong  COMPLETED    400 C301
    COMPLETED    wrong  CANCELED     400 C301
    CANCELED     right  IN PROGRESS  400 C300
    CANCELED     right  COMPLETED    400 C300
    CANCELED     right  CANCELED     200 B304
    CANCELED     wrong  IN PROGRESS  400 C301
    CANCELED     wrong  COMPLETED    400 C301
    CANCELED     wrong  CANCELED     400 C301
"""
"""dicom-service 9.1, copied by hand."""
ROWS = [
    (row[4:17].strip(), row[17:24].strip(), row[24:37].strip(), *row[37:].split(" ", 1))
    for row in MATRIX.strip("\n").splitlines()
]


def _bring_to(edge: Edge, state: str) -> None:
    edge.create()
    if state == "SCHEDULED":
        return
    assert edge.change("IN PROGRESS").status == 200
    assert edge.update({**performed(), **discontinued()}, LOCK).status == 200
    if state != "IN PROGRESS":
        assert edge.change(state).status == 200


@pytest.mark.parametrize("root", [AZURE, STANDARD])
@pytest.mark.parametrize("row", ROWS, ids=" ".join)
def test_every_change_of_state_is_answered_by_the_table(edge: Edge, root: str, row: tuple[str, ...]) -> None:
    state, uid, wanted, status, *codes = row
    _bring_to(edge, state)
    answer = edge.change(wanted, LOCK if uid == "right" else OTHER, root=root)
    assert answer.status == int(status)
    if status == "400":
        assert json.loads(answer.body) == f"The workitem instance can not transition to '{wanted}' state: {codes[0]}."
        assert ("warning" in answer.headers) is (root == STANDARD)
    else:
        assert answer.body == b""
        assert answer.headers.get("warning") == _warning(root, wanted, codes)
    assert edge.read()["00741000"]["Value"] == [wanted if status == "200" else state]


def _warning(root: str, wanted: str, codes: list[str]) -> str | None:
    if not codes:
        return None
    if root == STANDARD:
        return f'299 127.0.0.1: "The UPS is already in the requested state of {wanted}."'
    return f"299 127.0.0.1: \"The workitem instance is already in the final state '{wanted}'. {codes[0]}.\""


def test_a_workitem_does_not_end_before_all_is_known(edge: Edge) -> None:
    edge.create()
    edge.change("IN PROGRESS")
    for state, tag in (("COMPLETED", b"(0074,1216)"), ("CANCELED", b"(0074,1002)")):
        answer = edge.change(state)
        assert answer.status == 400
        assert tag in answer.body


# cancellation


def test_a_cancellation_is_accepted_once(edge: Edge) -> None:
    edge.create()
    accepted = edge.cancel({"00741238": attribute("LT", "Gone home"), "0074100C": attribute("LO", "Dr. A")})
    assert (accepted.status, accepted.body) == (202, b'"The workitem instance has been cancelled."')
    [progress] = edge.read()["00741002"]["Value"]
    assert progress["00741238"]["Value"] == ["Gone home"]
    again = edge.cancel()
    assert (again.status, again.body) == (409, b'"The UPS is already in the requested state of CANCELED."')
    assert again.headers["warning"] == '299 127.0.0.1: "The UPS is already in the requested state of CANCELED."'


@pytest.mark.parametrize(("state", "status_code"), [("IN PROGRESS", "C312"), ("COMPLETED", "C311")])
@pytest.mark.parametrize("root", [AZURE, STANDARD])
def test_what_is_claimed_is_not_canceled_on_request(edge: Edge, root: str, state: str, status_code: str) -> None:
    _bring_to(edge, state)
    answer = edge.cancel(root=root)
    assert answer.status == 409
    assert json.loads(answer.body) == f"The workitem instance can not transition to 'CANCELED' state: {status_code}."
    assert ("warning" in answer.headers) is (root == STANDARD)


def test_by_the_standard_a_request_to_cancel_may_be_empty(edge: Edge) -> None:
    edge.create()
    assert edge.ask("POST", f"{AZURE}/workitems/{UID}/cancelrequest").status == 400
    assert edge.ask("POST", f"{STANDARD}/workitems/{UID}/cancelrequest", headers={"accept": "*/*"}).status == 202


# search


def _keep(edge: Edge, number: int, **values: str) -> None:
    content = json.dumps({"00080018": attribute("UI", uid_of(number))}).encode()
    edge.archive.workitems.create(workitem(number, content=content), texts(values))


def test_the_newest_comes_first_page_by_page(edge: Edge) -> None:
    for number in range(1, 6):
        _keep(edge, number, PatientID="P1")
    assert edge.found() == [uid_of(number) for number in (5, 4, 3, 2, 1)]
    assert edge.found("limit=2&offset=1") == [uid_of(4), uid_of(3)]
    assert edge.ask("GET", f"{AZURE}/workitems?offset=5").status == 204
    assert edge.ask("GET", f"{AZURE}/workitems?PatientID=P2").status == 204


def test_by_the_standard_a_page_before_the_last_says_that_there_is_more(edge: Edge) -> None:
    for number in range(1, 4):
        _keep(edge, number)
    first = edge.ask("GET", f"{STANDARD}/workitems?limit=2")
    last = edge.ask("GET", f"{STANDARD}/workitems?limit=2&offset=2")
    assert (first.status, len(json.loads(first.body))) == (206, 2)
    assert "additional results" in first.headers["warning"]
    assert (last.status, len(json.loads(last.body))) == (200, 1)
    assert "warning" not in last.headers


def test_what_cannot_be_read_makes_an_answer_partial(edge: Edge) -> None:
    _keep(edge, 1)
    edge.archive.workitems.create(workitem(2, content=b"{"), [])
    answer = edge.ask("GET", f"{AZURE}/workitems")
    assert answer.status == 206
    assert [one["00080018"]["Value"] for one in json.loads(answer.body)] == [[uid_of(1)]]


def test_a_search_finds_names_fuzzily_and_codes_in_sequences(edge: Edge) -> None:
    given = creation(
        t00100010=attribute("PN", {"Alphabetic": "Täuber^Jörg"}), t00404025=attribute("SQ", code("R1"), code("R2"))
    )
    edge.create(given)
    for query in (
        "PatientName=tauber^jorg",
        "PatientName=jo&FuzzyMatching=true",
        "ScheduledStationNameCodeSequence.CodeValue=R2",
        "00404025.00080100=r2",
        "ScheduledProcedureStepStartDateTime=2026-",
    ):
        assert edge.found(query) == [UID]
    assert edge.found("ScheduledStationNameCodeSequence.CodeValue=R3") == []


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=500", "The query parameter 'Limit' is invalid. The field Limit must be between 1 and 200."),
        ("WorklistLabel=x", "Invalid query: AttributeId WorklistLabel is not queryable.  If the parameter"),
    ],
)
def test_a_search_that_is_not_understood_is_refused_in_plain_text(edge: Edge, query: str, message: str) -> None:
    answer = edge.ask("GET", f"{AZURE}/workitems?{query}")
    assert answer.status == 400
    assert answer.body.decode().startswith(message)
    assert answer.headers["content-type"].startswith("text/plain")


def test_the_standard_warns_of_what_it_passes_over(edge: Edge) -> None:
    edge.create()
    answer = edge.ask("GET", f"{STANDARD}/workitems?PregnancyStatus=1&WorklistLabel=work*")
    assert answer.status == 200
    assert "PregnancyStatus is not supported" in answer.headers["warning"]


def test_a_large_answer_is_compressed_for_who_reads_that(edge: Edge) -> None:
    for number in range(1, 60):
        _keep(edge, number)
    plain = edge.ask("GET", f"{AZURE}/workitems")
    packed = edge.ask("GET", f"{AZURE}/workitems", headers={**JSON, "accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body


# who may


def test_a_reader_reads_and_changes_nothing(edge: Edge) -> None:
    edge.create()
    reader = edge.by(Principal("reader", READER_ACTIONS))
    assert reader.found() == [UID]
    assert reader.read()["00741000"]["Value"] == ["SCHEDULED"]
    refused = [reader.create(), reader.update({}), reader.change("IN PROGRESS"), reader.cancel()]
    assert [answer.status for answer in refused] == [403] * 4


def test_workitems_of_two_partitions_do_not_meet(edge: Edge) -> None:
    apart = replace(edge, service=replace(edge.service, has_partitions=True))
    north, south = "/v2/partitions/north", "/v2/partitions/south"
    created = apart.create(root=north)
    assert created.headers["location"] == f"http://127.0.0.1{north}/workitems/{UID}"
    assert apart.create(creation(t00100020=attribute("LO", "S")), root=south).status == 201
    assert apart.change("IN PROGRESS", root=north).status == 200
    assert apart.read(north)["00741000"]["Value"] == ["IN PROGRESS"]
    assert apart.read(south)["00741000"]["Value"] == ["SCHEDULED"]
    assert apart.found("PatientID=S", north) == []
    assert apart.found("PatientID=S", south) == [UID]
    assert apart.create(root=AZURE).body == b"PartitionName value is missing in the route segment."
    assert [one.partition_name for one in apart.archive.partitions.all()][1:] == ["north", "south"]
