"""Store through a gateway: into the cache, then by C-STORE to the archive, which has the last word on each instance.

    STOW-RS ──▶ cache (durable, what is no instance is refused) ──▶ C-STORE each ──▶ its status ──▶ the response

What the archive does not take goes out of the cache again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson
from starlette.responses import Response

from isocenter.app.senders.dimse import DimseSender
from isocenter.app.senders.stored import outgoing_of
from isocenter.archive.archive import Archive
from isocenter.archive.delete import delete
from isocenter.dicomweb.server import store
from isocenter.dicomweb.server.service import Call
from isocenter.domain.errors import NotFound, Unavailable
from isocenter.domain.identifiers import InstanceIdentifier, Scope
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.routing.catalogue.lookup import explain_report
from isocenter.routing.deliveries.report import Report
from isocenter.routing.deliveries.sender import Outgoing
from isocenter.routing.translation.store_reason import PROCESSING_FAILURE, StoreReason, store_reason

REFERENCED, FAILED = "00081199", "00081198"
_CLASS, _INSTANCE, _URL, _FAILURE, _WARNING = "00081150", "00081155", "00081190", "00081197", "00081196"


@dataclass(slots=True)
class Forwarding:
    """Send what was stored into the cache on to the archive; one request at a time."""

    cache: Archive
    sender: DimseSender
    forget: Callable[[str], None]
    """Called with a study of which the archive has more now."""
    executor: ThreadPoolExecutor
    """Of one thread: a sender is used by one at a time."""

    async def store(self, call: Call) -> Response:
        """Answer a store request with what the archive says of each instance.

        Raises Unavailable where it took none because it cannot take any at the moment.
        """
        kept = await store.store_instances(call)
        document = orjson.loads(kept.body) if kept.body else {}
        items: list[dict[str, Any]] = document.get(REFERENCED, {}).get("Value", [])
        if not items:
            return kept
        identifiers = [_identifier(item[_URL]["Value"][0]) for item in items]
        told = await call.service.run(self.executor.submit(partial(self._send, identifiers)).result)
        for identifier in identifiers:
            self.forget(identifier.study_instance_uid)
        reasons = [told.get(identifier) for identifier in identifiers]
        if all(reason is None or reason[0].is_passing for reason in reasons) and not document.get(FAILED):
            first = next((reason for reason in reasons if reason is not None), None)
            raise Unavailable("The archive takes nothing at the moment" + (f": {first[1]}" if first else "."))
        return _respond(kept, document, items, [PENDING if reason is None else reason[0] for reason in reasons])

    def _send(self, identifiers: Sequence[InstanceIdentifier]) -> dict[InstanceIdentifier, tuple[StoreReason, str]]:
        told: dict[InstanceIdentifier, tuple[StoreReason, str]] = {}
        rows = self.cache.index.find_stored(identifiers)

        def note(outgoing: Outgoing, report: Report, detail: str) -> None:
            told[outgoing.identifier] = store_reason(report), detail or explain_report(report).meaning

        self.sender.send([outgoing_of(self.cache, row) for row in rows.values()], note)
        for identifier in identifiers:
            if identifier not in told or told[identifier][0].failure_reason is not None:
                with suppress(NotFound):
                    delete(self.cache, LOCAL_OWNER, _scope(identifier))
        return told


PENDING = StoreReason(PROCESSING_FAILURE)
"""Of what was not tried any more."""


def _identifier(url: str) -> InstanceIdentifier:
    *_, study, _series, series, _instances, instance = url.split("/")
    return InstanceIdentifier(study, series, instance)


def _scope(one: InstanceIdentifier) -> Scope:
    return Scope(one.study_instance_uid, one.series_instance_uid, one.sop_instance_uid)


def _respond(
    kept: Response, document: dict[str, Any], items: Sequence[dict[str, Any]], reasons: Sequence[StoreReason]
) -> Response:
    stored: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = list(document.get(FAILED, {}).get("Value", []))
    for item, reason in zip(items, reasons, strict=True):
        if reason.failure_reason is not None:
            refused = {_FAILURE: {"vr": "US", "Value": [reason.failure_reason]}}
            failed.append({_CLASS: item[_CLASS], _INSTANCE: item[_INSTANCE], **refused})
            continue
        warned = {} if reason.warning_reason is None else {_WARNING: {"vr": "US", "Value": [reason.warning_reason]}}
        stored.append(dict(sorted({**item, **warned}.items())))
    body = {} if not stored else {key: value for key, value in document.items() if key not in (REFERENCED, FAILED)}
    body |= {FAILED: {"vr": "SQ", "Value": failed}} if failed else {}
    body |= {REFERENCED: {"vr": "SQ", "Value": stored}} if stored else {}
    has_warning = any(_WARNING in item for item in stored)
    status = 409 if not stored else 202 if failed or has_warning else 200
    headers = {name: value for name, value in kept.headers.items() if name not in ("content-length", "content-type")}
    return Response(orjson.dumps(body), status_code=status, media_type=kept.media_type, headers=headers)
