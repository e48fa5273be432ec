"""Test the connection to another AE: from the name of its host to what it lets us ask."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from isocenter.app.connection_testing.network import (
    STEP_TIMEOUT_S,
    Place,
    connect,
    resolve,
    speak_tls,
    speaks_tls,
    tls_wanted,
)
from isocenter.app.dimse_peer import DimsePeer
from isocenter.app.dimse_report import report_of_peer
from isocenter.app.finding import FindRequest, build_identifier
from isocenter.app.retrieving import scope_identifier
from isocenter.dicom.dictionary import uid_name
from isocenter.dicom.syntax import transfer_syntax
from isocenter.dimse.scu.client import Opener, ProposedContext
from isocenter.dimse.scu.echo import VERIFICATION, echo
from isocenter.dimse.scu.errors import ContextRefused, RequestFailed
from isocenter.dimse.scu.find import STUDY_ROOT_FIND, find
from isocenter.dimse.scu.retrieve import STUDY_ROOT_GET, STUDY_ROOT_MOVE, Retrieved, move
from isocenter.dimse.shell.record import ContextRecord
from isocenter.dimse.shell.tls import TlsSettings, client_context
from isocenter.domain.errors import IsocenterError, PeerUnreachable
from isocenter.domain.identifiers import Level, Scope
from isocenter.routing.catalogue.entry import Family, Side
from isocenter.routing.catalogue.lookup import entry_of, explain_report
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
from isocenter.routing.deliveries.report import TransportFailed, TransportFault

T = TypeVar("T")
Work = Callable[[Opener], Awaitable[T]]

NOBODYS_STUDY = "2.25.329800735698586629295641978511506172918"
"""A UID that was drawn at random for this: searches for it find nothing, moves of it send nothing."""
CLASSES = tuple(
    f"1.2.840.10008.5.1.4.1.1.{ending}"
    for ending in ("2", "2.1", "4", "4.1", "1", "1.1", "1.2", "12.1", "6.1", "3.1", "7", "20", "128", "104.1", "88.33")
)
"""What hospitals send most: CT, MR, radiographs, angiography, ultrasound, captures, NM, PET, PDF, reports."""
SYNTAXES = (
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.5",
)
"""With 15 classes 120 contexts, which one association holds."""
PLANNED = (
    StepName.DNS,
    StepName.TCP,
    StepName.TLS,
    StepName.ASSOCIATION,
    StepName.ECHO,
    StepName.CONTEXTS,
    StepName.FIND,
    StepName.MOVE,
)
_NOT_FOR_US = frozenset({0xA801, 0x0124})
"""Move destination unknown, not authorized."""


def check_peer(
    peer: DimsePeer,
    *,
    destination: str,
    now: datetime,
    timeout_s: float = STEP_TIMEOUT_S,
    on_step: OnStep = lambda step: None,
) -> ConnectionReport:
    """Test the connection to another AE, step by step. Nothing is stored or moved there.

    Raises InvalidSetting where our own certificate or key cannot be used.
    """
    address = peer.remote.address
    assert address is not None, "a peer that is called has an address"
    planned = PLANNED if peer.remote.uses_tls else tuple(one for one in PLANNED if one is not StepName.TLS)
    steps = Steps(planned, on_step)
    if _reach(peer, Place(address.host, address.port), steps, now=now, timeout_s=timeout_s):
        _ask(replace(peer, timeout_s=timeout_s), steps, timeout_s=timeout_s)
    return ConnectionReport(destination, str(peer), steps.finished(), peer.calling_ae_title)


def _reach(peer: DimsePeer, place: Place, steps: Steps, *, now: datetime, timeout_s: float) -> bool:
    """Take the steps below DICOM; tell whether the peer can be asked."""
    resolved, _ = resolve(place)
    if steps.add(resolved).outcome is Outcome.FAILED:
        return False
    if steps.add(connect(place, timeout_s=timeout_s)).outcome is Outcome.FAILED:
        return False
    if not peer.remote.uses_tls:
        return True
    files = peer.tls_files
    settings = (
        TlsSettings()
        if files is None
        else TlsSettings(certificate=files.certificate, key=files.key, authorities=files.authorities)
    )
    step = speak_tls(place, client_context(settings), timeout_s=timeout_s, now=now)
    return steps.add(step).outcome is not Outcome.FAILED


def _ask(peer: DimsePeer, steps: Steps, *, timeout_s: float) -> None:
    association = _timed(peer, StepName.ASSOCIATION, _associate(peer), timeout_s=timeout_s)
    address = peer.remote.address
    if association.code.startswith(Family.TRANSPORT) and address is not None and not peer.remote.uses_tls:
        place = Place(address.host, address.port)
        association = tls_wanted(StepName.ASSOCIATION) if speaks_tls(place, timeout_s=timeout_s) else association
    if steps.add(association).outcome is Outcome.FAILED:
        return
    for name, work in (
        (StepName.ECHO, _echo(peer)),
        (StepName.CONTEXTS, _look_at_contexts(peer)),
        (StepName.FIND, _find(peer)),
        (StepName.MOVE, _move(peer)),
    ):
        steps.add(_timed(peer, name, work, timeout_s=timeout_s))


def _timed(peer: DimsePeer, name: StepName, work: Work[Step], *, timeout_s: float) -> Step:
    """Take a step that opens an association, and turn what it fails with into words."""
    began = time.perf_counter()

    async def bounded(opener: Opener) -> Step:
        async with asyncio.timeout(timeout_s):
            return await work(opener)

    try:
        step = peer.run(bounded)
    except TimeoutError:
        step = failed_by(name, explain_report(TransportFailed(TransportFault.ANSWER_TIMEOUT)))
    except IsocenterError as error:
        step = failed_by(name, explain_report(report_of_peer(error)), told=_told(error))
    return replace(step, elapsed_s=time.perf_counter() - began)


def _told(error: IsocenterError) -> str:
    """Return what is worth telling beside the catalogue's words: what the peer said, or how it broke off."""
    is_broken_off = isinstance(error, PeerUnreachable) and error.__cause__ is None
    is_told = is_broken_off or isinstance(error, RequestFailed | ContextRefused)
    return error.message.rstrip(".") if is_told else ""


_QUERY = (STUDY_ROOT_FIND, STUDY_ROOT_MOVE, STUDY_ROOT_GET)


def _associate(peer: DimsePeer) -> Work[Step]:
    contexts = [ProposedContext(uid) for uid in (VERIFICATION, *_QUERY)]

    async def work(opener: Opener) -> Step:
        async with opener.association(peer.remote, contexts) as association:
            record = association.record
            offered = [_name(one.abstract_syntax_uid) for one in record.contexts if one.refusal is None]
            return passed(
                StepName.ASSOCIATION,
                f"It takes associations of {record.calling_ae_title} to {record.called_ae_title}.",
                calling_ae_title=record.calling_ae_title,
                called_ae_title=record.called_ae_title,
                implementation=record.implementation_version_name,
                services=", ".join(offered),
            )

    return work


def _echo(peer: DimsePeer) -> Work[Step]:
    async def work(opener: Opener) -> Step:
        async with opener.association(peer.remote, [ProposedContext(VERIFICATION)]) as association:
            began = time.perf_counter()
            await echo(association)
            return passed(StepName.ECHO, f"C-ECHO is answered in {(time.perf_counter() - began) * 1000:.1f} ms.")

    return work


def _look_at_contexts(peer: DimsePeer) -> Work[Step]:
    contexts = [ProposedContext(class_uid, (syntax,)) for class_uid in CLASSES for syntax in SYNTAXES]

    async def work(opener: Opener) -> Step:
        async with opener.association(peer.remote, contexts) as association:
            return _grid(association.record.contexts)

    return work


def _grid(contexts: Sequence[ContextRecord]) -> Step:
    """Return which SOP classes are taken in which transfer syntaxes."""
    grid: dict[str, list[str]] = {}
    for one in contexts:
        row = grid.setdefault(one.abstract_syntax_uid, [])
        if one.accepted_transfer_syntax_uid is not None:
            row.append(transfer_syntax(one.accepted_transfer_syntax_uid).name)
    taken = {_name(uid): ", ".join(syntaxes) for uid, syntaxes in grid.items() if syntaxes}
    refused = [_name(uid) for uid, syntaxes in grid.items() if not syntaxes]
    if not taken:
        return failed(
            StepName.CONTEXTS,
            "It takes no storage class in any transfer syntax.",
            "Have storage switched on there for our AE title; or it is a peer that only answers queries.",
            side=Side.THEIRS,
        )
    left_out = f"; not: {', '.join(refused)}" if refused else ""
    told = f"It takes {len(taken)} of {len(grid)} common storage classes{left_out}."
    return replace(passed(StepName.CONTEXTS, told), facts=tuple(taken.items()))


def _find(peer: DimsePeer) -> Work[Step]:
    identifier = build_identifier(FindRequest(Level.STUDY, (("StudyInstanceUID", NOBODYS_STUDY),)))

    async def work(opener: Opener) -> Step:
        async with opener.association(peer.remote, [ProposedContext(STUDY_ROOT_FIND)]) as association:
            try:
                await find(association, identifier, limit=1)
            except ContextRefused:
                return skipped(StepName.FIND, "It offers no search (C-FIND, Study Root).")
            except RequestFailed as error:
                return _refused(StepName.FIND, Family.FIND, error)
            return passed(StepName.FIND, "It answers our searches.")

    return work


def _move(peer: DimsePeer) -> Work[Step]:
    ours = peer.calling_ae_title

    async def work(opener: Opener) -> Step:
        async with opener.association(peer.remote, [ProposedContext(STUDY_ROOT_MOVE)]) as association:
            try:
                result = await move(association, scope_identifier(Scope(NOBODYS_STUDY)), destination=ours)
            except ContextRefused:
                return skipped(StepName.MOVE, "It offers no retrieval by C-MOVE.")
            except RequestFailed as error:
                return _move_refused(error, ours)
            return _moved(result, ours)

    return work


def _moved(result: Retrieved, ours: str) -> Step:
    if result.status == 0:
        return passed(StepName.MOVE, f"It would move images to {ours}.")
    return warned(
        StepName.MOVE, f"It answers a move of nothing with {result.told}.", "Try a real move before you rely on it."
    )


def _move_refused(error: RequestFailed, ours: str) -> Step:
    if error.status in _NOT_FOR_US:
        step = _refused(StepName.MOVE, Family.RETRIEVE, error)
        advice = f"Have our AE title {ours}, with our address and port, added to its destinations."
        # Who only stores there needs no moves: nothing is broken.
        return replace(step, outcome=Outcome.WARNED, advice=advice)
    return warned(
        StepName.MOVE,
        f"{error.message}",
        "Some peers answer so when nothing matches; try a real move before you rely on it.",
    )


def _refused(name: StepName, family: Family, error: RequestFailed) -> Step:
    return failed_by(name, entry_of(family, f"{error.status:04X}"), told=error.message.rstrip("."))


def _name(uid: str) -> str:
    return uid_name(uid) or uid
