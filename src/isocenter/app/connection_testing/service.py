"""Test the connection to a DICOMweb service: from the name of its host to an image that is stored and deleted again."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlsplit

import httpx

from isocenter.app.connection_testing.network import (
    STEP_TIMEOUT_S,
    Place,
    connect,
    resolve,
    speak_tls,
    speaks_tls,
    tls_wanted,
)
from isocenter.app.connection_testing.synthetic_image import make_test_image
from isocenter.app.web_report import report_of, report_of_result
from isocenter.dicomweb.client.answers import public_name
from isocenter.dicomweb.client.client import DicomwebClient
from isocenter.dicomweb.client.upload import InstanceSource
from isocenter.domain.errors import InvalidRequest, IsocenterError
from isocenter.domain.identifiers import InstanceIdentifier, Level, Scope
from isocenter.routing.catalogue.entry import Side
from isocenter.routing.catalogue.lookup import explain_report
from isocenter.routing.connection_test.report import (
    ConnectionReport,
    OnStep,
    Outcome,
    Step,
    StepName,
    Steps,
    failed,
    failed_by,
    passed,
    skipped,
    warned,
)
from isocenter.routing.deliveries.report import HttpAnswered, TokenRefused
from isocenter.routing.deliveries.verdict import Verdict, judge

HTTP_PORT, HTTPS_PORT = 80, 443
PLANNED = (
    StepName.DNS,
    StepName.TCP,
    StepName.TLS,
    StepName.TOKEN,
    StepName.QIDO,
    StepName.WADO,
    StepName.STORE,
)


@dataclass(frozen=True, slots=True)
class ServiceUnderTest:
    """A DICOMweb service, and how it is reached."""

    url: str
    tls: ssl.SSLContext | None
    """None for the defaults of the machine."""
    open_client: Callable[[], DicomwebClient]
    evidence: str = ""
    """What it is shown, in words; empty where nothing is."""


def check_service(
    service: ServiceUnderTest,
    *,
    destination: str,
    now: datetime,
    stores: bool = False,
    timeout_s: float = STEP_TIMEOUT_S,
    on_step: OnStep = lambda step: None,
) -> ConnectionReport:
    """Test the connection to a service, step by step; with `stores`, store a synthetic image and delete it again.

    Raises InvalidSetting where a secret, key or certificate of ours cannot be read.
    """
    is_secure = service.url.startswith("https://")
    place = _place(service.url, is_secure=is_secure)
    steps = Steps(PLANNED if is_secure else tuple(one for one in PLANNED if one is not StepName.TLS), on_step)
    if _reach(service, place, steps, now=now, timeout_s=timeout_s):
        with service.open_client() as client:
            for number, asked in enumerate(_ask(service, client, now=now, stores=stores)):
                is_refused = number == 0 and asked.outcome is Outcome.FAILED and not is_secure
                speaks_tls_instead = is_refused and speaks_tls(place, timeout_s=timeout_s)
                steps.add(tls_wanted(StepName.QIDO) if speaks_tls_instead else asked)
    return ConnectionReport(destination, public_name(httpx.URL(service.url)), steps.finished())


def _place(url: str, *, is_secure: bool) -> Place:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError as error:
        raise InvalidRequest("The address of the service has a port that is none; ports go up to 65535.") from error
    return Place(parts.hostname or "", port or (HTTPS_PORT if is_secure else HTTP_PORT))


def _reach(service: ServiceUnderTest, place: Place, steps: Steps, *, now: datetime, timeout_s: float) -> bool:
    resolved, _ = resolve(place)
    if steps.add(resolved).outcome is Outcome.FAILED:
        return False
    if steps.add(connect(place, timeout_s=timeout_s)).outcome is Outcome.FAILED:
        return False
    if StepName.TLS not in steps.planned:
        return True
    context = service.tls or ssl.create_default_context()
    return steps.add(speak_tls(place, context, timeout_s=timeout_s, now=now)).outcome is not Outcome.FAILED


def _ask(service: ServiceUnderTest, client: DicomwebClient, *, now: datetime, stores: bool) -> Iterator[Step]:
    began = time.perf_counter()
    try:
        rows = client.search(Level.STUDY, [("limit", "1")])
    except IsocenterError as error:
        yield replace(_refused(service, error), elapsed_s=time.perf_counter() - began)
        return
    elapsed_s = time.perf_counter() - began
    told = "It answers searches" + (" and has studies." if rows else "; it has no study.")
    yield _token_step(service)
    yield passed(StepName.QIDO, told, elapsed_s=elapsed_s)
    yield _timed(StepName.WADO, lambda: _metadata(client, _study(rows[0])) if rows else _EMPTY)
    yield _timed(StepName.STORE, lambda: _store(client, now)) if stores else _NOT_STORED


_NO_EVIDENCE = "The service wants to know who calls, and was shown nothing."
_GIVE_EVIDENCE = "Give the destination an authentication table, or the command a token."
_NOT_STORED = skipped(StepName.STORE, "Not asked for; --store-test stores a synthetic image and deletes it again.")
_EMPTY = skipped(StepName.WADO, "There is no study whose metadata could be asked for.")


def _token_step(service: ServiceUnderTest) -> Step:
    if not service.evidence:
        return skipped(StepName.TOKEN, "It is shown no evidence of who calls, and wants none.")
    return passed(StepName.TOKEN, f"It accepts {service.evidence}.")


def _refused(service: ServiceUnderTest, error: IsocenterError) -> Step:
    """Return the step at which the first question failed."""
    report = report_of(error)
    entry = explain_report(report)
    told = error.message.rstrip(".")
    if isinstance(report, TokenRefused):
        return failed_by(StepName.TOKEN, entry, told=told)
    if judge(report).verdict is Verdict.AUTHENTICATION and isinstance(report, HttpAnswered) and report.status == 401:
        if not service.evidence:
            return failed(StepName.TOKEN, _NO_EVIDENCE, _GIVE_EVIDENCE, side=Side.OURS)
        return failed_by(StepName.TOKEN, entry, told=f"it was shown {service.evidence}")
    return failed_by(StepName.QIDO, entry, told=told)


def _timed(name: StepName, take: Callable[[], Step]) -> Step:
    began = time.perf_counter()
    try:
        step = take()
    except IsocenterError as error:
        step = failed_by(name, explain_report(report_of(error)), told=error.message.rstrip("."))
    return replace(step, elapsed_s=time.perf_counter() - began)


def _study(row: dict[str, object]) -> str:
    return _text(row, "0020000D")


def _text(row: dict[str, object], tag: str) -> str:
    entry = row.get(tag)
    values = entry.get("Value") if isinstance(entry, dict) else None
    return str(values[0]) if isinstance(values, list) and values else ""


def _metadata(client: DicomwebClient, study_instance_uid: str) -> Step:
    rows = client.search(Level.INSTANCE, [("limit", "1")], within=Scope(study_instance_uid))
    if not rows:
        return warned(StepName.WADO, "It lists a study and no instance of it.", "Look at that study there.")
    scope = Scope(study_instance_uid, _text(rows[0], "0020000E"), _text(rows[0], "00080018"))
    found = client.metadata(scope)
    return passed(StepName.WADO, f"It gives the metadata of an instance: {len(found[0]) if found else 0} attributes.")


def _store(client: DicomwebClient, now: datetime) -> Step:
    identifier, content = make_test_image(now)
    source = InstanceSource(
        "connection test", len(content), lambda: iter([content]), sop_instance_uid=identifier.sop_instance_uid
    )
    [result] = client.store([source])
    if not result.is_stored:
        told = "; ".join(result.error_comments)
        return failed_by(StepName.STORE, explain_report(report_of_result(result)), told=told)
    return _remove(client, identifier)


def _remove(client: DicomwebClient, identifier: InstanceIdentifier) -> Step:
    study = identifier.study_instance_uid
    scope = Scope(study, identifier.series_instance_uid, identifier.sop_instance_uid)
    try:
        listed = client.search(Level.INSTANCE, [("limit", "1")], within=Scope(study))
        if not listed:
            return failed(
                StepName.STORE,
                "It said that the synthetic image is stored, and does not list it.",
                "Look there whether new studies appear late, or not at all.",
                side=Side.THEIRS,
                study=study,
            )
        client.delete(scope)
    except IsocenterError as error:
        return warned(
            StepName.STORE,
            f"The synthetic image is stored; it could not be deleted again ({error.message.rstrip('.')}).",
            f"Delete the study {study} there; its patient ID is CONNECTION-TEST.",
            study=study,
        )
    return passed(StepName.STORE, "The synthetic image was stored, listed, and deleted again.", study=study)
