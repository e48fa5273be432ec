"""Metrics: what the register of associations knows, in the text form of Prometheus."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette

from isocenter.archive.bulk_import import ImportCounts, ImportResult
from isocenter.archive.event_delivery import DeliveryCounts, EventCounts
from isocenter.archive.operations import WorkCounts
from isocenter.dicomweb.server.counts import Form, TransactionCounts
from isocenter.dimse.message.messages import CFindRsp
from isocenter.dimse.shell.record import AssociationRegister, ContextRecord, End, Side
from isocenter.domain.errors import Unauthenticated
from isocenter.domain.principal import LOCAL_OWNER, Principal
from isocenter.fhir.cast_record import CastCounts
from isocenter.web.api.metrics import FAMILIES, Kind, Observed, metrics_routes
from tests.support.asgi_client import AsgiClient

BEGAN = datetime(2026, 11, 21, tzinfo=UTC)


def _owner(headers: Mapping[str, str]) -> Principal:
    return LOCAL_OWNER


def _nobody(headers: Mapping[str, str]) -> Principal:
    raise Unauthenticated()


def _samples(
    register: AssociationRegister,
    imports: ImportCounts | None = None,
    *,
    events: EventCounts | None = None,
    transactions: TransactionCounts | None = None,
) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return _counted(
        Observed(register, imports or ImportCounts(), events or EventCounts(), transactions or TransactionCounts())
    )


def _counted(observed: Observed) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    answer = AsgiClient(Starlette(routes=metrics_routes(observed, authenticate=_owner))).get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def _key(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


def test_live_and_ended_associations_are_summed() -> None:
    register = AssociationRegister()
    for end in (End.RELEASED, None):
        record = register.open(Side.ACCEPTOR, peer_address="", started_at=BEGAN, uses_tls=False)
        record.bytes_received, record.bytes_sent = 100, 10
        record.note_message(CFindRsp(message_id_being_responded_to=1, status=0xFF00), is_sent=True)
        record.contexts = (
            ContextRecord(1, "1.2", ("1.3",), "1.3", None),
            ContextRecord(3, "1.2", ("1.3",), None, "abstract syntax not supported"),
        )
        if end is not None:
            record.end = end
            register.close(record, ended_at=BEGAN)
    found = _samples(register)
    assert found[_key("isocenter_associations_live", side="acceptor")] == 1
    assert found[_key("isocenter_associations_live", side="requestor")] == 0
    assert found[_key("isocenter_associations_ended_total", end="released")] == 1
    assert found[_key("isocenter_association_bytes_total", direction="received")] == 200
    assert found[_key("isocenter_association_bytes_total", direction="sent")] == 20
    assert found[_key("isocenter_association_contexts_total", result="accepted")] == 2
    assert found[_key("isocenter_association_contexts_total", result="abstract syntax not supported")] == 2
    response = {"direction": "sent", "message": "C-FIND-RSP", "status": "FF00"}
    assert found[_key("isocenter_dimse_responses_total", **response)] == 2


def test_files_of_bulk_import_are_counted_by_source_and_result() -> None:
    imports = ImportCounts()
    for result in (ImportResult.STORED, ImportResult.STORED, ImportResult.REFUSED):
        imports.note("folder", result)
    imports.note_waiting("folder", 7)
    found = _samples(AssociationRegister(), imports)
    assert found[_key("isocenter_import_files_total", source="folder", result="stored")] == 2
    assert found[_key("isocenter_import_files_total", source="folder", result="refused")] == 1
    assert found[_key("isocenter_import_files_waiting", source="folder")] == 7


def test_events_are_counted_by_subscriber() -> None:
    events = EventCounts({"ris": DeliveryCounts(delivered=5, failed_attempts=2, expired=1, behind=3)})
    found = _samples(AssociationRegister(), events=events)
    assert found[_key("isocenter_events_total", subscriber="ris", result="delivered")] == 5
    assert found[_key("isocenter_events_total", subscriber="ris", result="expired")] == 1
    assert found[_key("isocenter_event_failures_total", subscriber="ris")] == 2
    assert found[_key("isocenter_events_behind", subscriber="ris")] == 3


def test_the_process_is_measured_beside_it() -> None:
    assert any(name == "process_resident_memory_bytes" for name, _labels in _samples(AssociationRegister()))


def test_two_nodes_in_one_process_do_not_add_up() -> None:
    _samples(AssociationRegister())
    assert _samples(AssociationRegister())[_key("isocenter_association_bytes_total", direction="sent")] == 0


def test_who_may_not_see_the_console_sees_no_metrics() -> None:
    client = AsgiClient(Starlette(routes=metrics_routes(Observed(AssociationRegister()), authenticate=_nobody)))
    assert client.get("/metrics").status_code == 401


def test_counters_end_as_prometheus_wants_it() -> None:
    assert all(family.name.endswith("_total") is (family.kind is Kind.COUNTER) for family in FAMILIES)


def test_transactions_are_counted_by_operation_and_instances_by_what_became_of_them() -> None:
    counts = TransactionCounts()
    counts.note_request("store", 200, received_bytes=700, sent_bytes=50)
    for length_bytes in (100, 16 * 1024, 16 * 1024 + 1, 2**31):
        counts.note_instance("stored", length_bytes=length_bytes)
    counts.note_instance("A900")
    counts.note_objections(["(0008,0020)"], is_kept=True)
    counts.note_retrieved(Form.TRANSCODED)
    found = _samples(AssociationRegister(), transactions=counts)
    assert found[_key("isocenter_dicomweb_requests_total", operation="store", status="200")] == 1
    assert found[_key("isocenter_dicomweb_bytes_total", operation="store", direction="received")] == 700
    assert found[_key("isocenter_dicomweb_store_instances_total", result="stored")] == 4
    assert found[_key("isocenter_dicomweb_store_instances_total", result="A900")] == 1
    lengths = "isocenter_dicomweb_store_length_bytes"
    assert [found[_key(f"{lengths}_bucket", le=end)] for end in ("16384", "65536", "+Inf")] == [2, 3, 4]
    assert found[_key(f"{lengths}_sum")] == 100 + 2 * 16 * 1024 + 1 + 2**31
    assert found[_key("isocenter_dicomweb_store_objections_total", tag="(0008,0020)", result="kept")] == 1
    assert found[_key("isocenter_dicomweb_retrieved_instances_total", form="transcoded")] == 1


def test_operations_and_erasures_are_told() -> None:
    found = _counted(
        Observed(
            AssociationRegister(),
            exports=WorkCounts(exported=4),
            updates=WorkCounts(updated=3),
            erasure_age_s=lambda: 12.5,
        )
    )
    assert found[_key("isocenter_updated_instances_total")] == 3
    assert found[_key("isocenter_exported_instances_total")] == 4
    assert found[_key("isocenter_erasure_oldest_age_seconds")] == 12.5


def test_the_cast_to_fhir_is_told_while_there_is_one() -> None:
    counts = CastCounts(rows=7, failed_attempts=2, behind=3, behind_s=1.5, errors={"tag": 4}, is_on=True)
    counts.studies["written"] = 5
    found = _counted(Observed(AssociationRegister(), fhir=counts))
    assert found[_key("isocenter_fhir_rows_total")] == 7
    assert found[_key("isocenter_fhir_failures_total")] == 2
    assert found[_key("isocenter_fhir_behind")] == 3
    assert found[_key("isocenter_fhir_behind_seconds")] == 1.5
    assert found[_key("isocenter_fhir_studies_total", result="written")] == 5
    assert found[_key("isocenter_fhir_errors", kind="tag")] == 4
    silent = _counted(Observed(AssociationRegister()))
    assert [name for name, _labels in silent if name.startswith("isocenter_fhir_")] == []
