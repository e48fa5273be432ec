"""A receiver of events over HTTP: the handshakes of Event Grid and CloudEvents, and deliveries (dicom-service 12.6).

It is asked only at the address that the operator's settings name: nothing that a receiver answers leads anywhere else.
No redirect is followed, no validation address of another one is called, and of an answer a bounded part is read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from uuid import uuid4

import httpx
import orjson

from isocenter.domain.image_event import MARK, EventOrigin, EventSchema, ImageEvent, Subscription, encode_event
from isocenter.ports.event_receiver import Answer

CONNECT_TIMEOUT_S = 10.0
TIMEOUT_S = 30.0
"""For a whole answer, as Event Grid waits for one."""
ANSWER_SIZE_MAX_BYTES = 64 * 1024
"""An answer to a handshake has some hundred bytes, all others are not looked at."""
RATE_WANTED = "*"
_RETRY_AFTER = frozenset({httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE})
_VALIDATION_TYPE = "Microsoft.EventGrid.SubscriptionValidationEvent"


@dataclass(frozen=True, slots=True)
class _Read:
    status: int
    headers: httpx.Headers
    content: bytes


class Webhook:
    """Talk to one receiver over a connection that stays open."""

    def __init__(self, subscription: Subscription, origin: EventOrigin, *, read_secret: Callable[[str], str]) -> None:
        """Make one; `read_secret` gives a secret by its name and raises InvalidSetting where there is none."""
        self._subscription = subscription
        self._origin = origin
        self._read_secret = read_secret
        timeout = httpx.Timeout(TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)
        self._client = httpx.Client(timeout=timeout, limits=limits, follow_redirects=False)

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def validate(self) -> Answer:
        """Ask the receiver whether it wants events from here, as its schema has it."""
        if self._subscription.schema is EventSchema.EVENT_GRID:
            return self._validate_event_grid()
        return self._validate_cloud_events()

    def deliver(self, events: Sequence[ImageEvent], *, attempt: int) -> Answer:
        """Post events; everything but an answer of 200 to 299 counts as a failure."""
        schema = self._subscription.schema
        documents = [encode_event(event, schema, self._origin) for event in events]
        is_single = schema is EventSchema.CLOUD_EVENTS and self._subscription.batch_max == 1
        content = orjson.dumps(documents[0] if is_single else documents)
        read = self._ask("POST", content, self._headers(attempt=attempt, is_single=is_single))
        if isinstance(read, Answer):
            return read
        if httpx.codes.is_success(read.status):
            return Answer(is_taken=True)
        return Answer(
            is_taken=False,
            reason=f"The receiver answered {read.status}.",
            retry_after_s=_retry_after_s(read) if read.status in _RETRY_AFTER else None,
            is_too_large=read.status == httpx.codes.REQUEST_ENTITY_TOO_LARGE,
        )

    def _headers(self, *, attempt: int, is_single: bool) -> dict[str, str]:
        if self._subscription.schema is EventSchema.CLOUD_EVENTS:
            media_type = "application/cloudevents+json" if is_single else "application/cloudevents-batch+json"
            return {"Content-Type": f"{media_type}; charset=utf-8", "WebHook-Request-Origin": self._origin.host}
        return {
            "Content-Type": "application/json; charset=utf-8",
            "aeg-event-type": "Notification",
            "aeg-subscription-name": self._subscription.name.upper(),
            "aeg-delivery-count": str(attempt),
            "aeg-data-version": "1",
            "aeg-metadata-version": "1",
        }

    def _validate_cloud_events(self) -> Answer:
        """Ask by OPTIONS (HTTP 1.1 Web Hooks for Event Delivery, 4)."""
        headers = {"WebHook-Request-Origin": self._origin.host, "WebHook-Request-Rate": RATE_WANTED}
        read = self._ask("OPTIONS", b"", headers)
        if isinstance(read, Answer):
            return read
        allowed = [name.strip().lower() for name in read.headers.get("WebHook-Allowed-Origin", "").split(",")]
        if not httpx.codes.is_success(read.status) or not {"*", self._origin.host.lower()} & set(allowed):
            return Answer(is_taken=False, reason=f"The receiver did not agree to get events (status {read.status}).")
        return Answer(is_taken=True, rate_per_min=_rate(read.headers.get("WebHook-Allowed-Rate", "*")))

    def _validate_event_grid(self) -> Answer:
        """Post an event with a code, which the receiver is to give back."""
        code = str(uuid4())
        document: dict[str, Any] = {
            "id": str(uuid4()),
            "topic": self._origin.source,
            "subject": "",
            "data": {"validationCode": code},
            "eventType": _VALIDATION_TYPE,
            "eventTime": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "metadataVersion": "1",
            "dataVersion": "2",
        }
        headers = self._headers(attempt=0, is_single=False) | {"aeg-event-type": "SubscriptionValidation"}
        read = self._ask("POST", orjson.dumps([document]), headers)
        if isinstance(read, Answer):
            return read
        try:
            given = orjson.loads(read.content)
        except orjson.JSONDecodeError:
            given = None
        if read.status == httpx.codes.OK and isinstance(given, dict) and given.get("validationResponse") == code:
            return Answer(is_taken=True)
        return Answer(is_taken=False, reason=f"The receiver did not give the code back (status {read.status}).")

    def _ask(self, method: str, content: bytes, headers: Mapping[str, str]) -> _Read | Answer:
        """Make a request and read its answer as far as it is of use; errors of the network become an answer."""
        url, secret_headers = self._address()
        began_s = time.monotonic()
        try:
            with self._client.stream(method, url, content=content, headers={**headers, **secret_headers}) as answer:
                found = bytearray()
                for chunk in answer.iter_raw(4096):
                    found += chunk
                    if len(found) > ANSWER_SIZE_MAX_BYTES or time.monotonic() - began_s > TIMEOUT_S:
                        break
                return _Read(answer.status_code, answer.headers, bytes(found))
        except (httpx.HTTPError, httpx.InvalidURL) as error:  # its words may hold the address, and that a secret
            return Answer(is_taken=False, reason=f"The receiver cannot be reached: {type(error).__name__}.")

    def _address(self) -> tuple[str, Mapping[str, str]]:
        """Return where to ask, and what to show there. The secret is read anew each time, so that it can be changed."""
        name, url = self._subscription.secret_name, self._subscription.url
        if not name:
            return url, {}
        secret = self._read_secret(name)
        if MARK in url:
            return url.replace(MARK, str(httpx.QueryParams({"": secret}))[1:]), {}
        return url, {"Authorization": f"Bearer {secret}"}


def _rate(text: str) -> float | None:
    """Return how many requests a minute are allowed; None for any number, and where it cannot be read."""
    try:
        rate = float(text)
    except ValueError:
        return None
    return rate if rate > 0 else None


def _retry_after_s(read: _Read) -> float | None:
    """Return how long a receiver asks to be left alone (RFC 9110 10.2.3)."""
    text = read.headers.get("Retry-After", "")
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
