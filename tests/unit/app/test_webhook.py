"""Webhooks against a real web server: handshakes of both schemas, deliveries, secrets, answers that mean harm."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from isocenter.app import webhook
from isocenter.app.webhook import Webhook
from isocenter.domain.errors import InvalidSetting
from isocenter.domain.image_event import EventKind, EventOrigin, EventSchema, ImageEvent, Subscription
from isocenter.ports.event_receiver import Answer
from tests.support.instances import identify
from tests.support.processes import free_port
from tests.support.webhook_receiver import WebhookReceiver, receiving

ORIGIN = EventOrigin("/workspaces/demo", "demo.dicom.local")
EVENTS = [ImageEvent(number, EventKind.CREATED, identify(1, 1, number), 1_795_000_000.0) for number in (1, 2, 3)]
SECRET = "s3cr3t"


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with receiving() as running:
        yield running


def _secret(name: str) -> str:
    if name != "ris":
        raise InvalidSetting
    return SECRET


@contextmanager
def _open(url: str, **options: object) -> Iterator[Webhook]:
    subscription = replace(Subscription("ris", url), **options)  # type: ignore[arg-type]
    opened = Webhook(subscription, ORIGIN, read_secret=_secret)
    try:
        yield opened
    finally:
        opened.close()


def _deliver(url: str, events: list[ImageEvent] = EVENTS[:1], **options: object) -> Answer:
    with _open(url, **options) as opened:
        return opened.deliver(events, attempt=0)


def _validate(url: str, **options: object) -> Answer:
    with _open(url, **options) as opened:
        return opened.validate()


def test_cloud_events_ask_by_options_whom_to_tell(receiver: WebhookReceiver) -> None:
    assert _validate(receiver.url) == Answer(is_taken=True)
    [request] = receiver.handshakes
    assert (request.method, request.path) == ("OPTIONS", "/hook")
    assert request.headers["webhook-request-origin"] == "demo.dicom.local"
    assert "webhook-request-rate" in request.headers


@pytest.mark.parametrize("origin", ["*", "demo.dicom.local", "DEMO.dicom.local", "a.example, demo.dicom.local"])
def test_a_receiver_that_allows_us_agrees(receiver: WebhookReceiver, origin: str) -> None:
    receiver.allowed_origin = origin
    assert _validate(receiver.url).is_taken


@pytest.mark.parametrize("origin", [None, "", "other.example", "demo.dicom.local.evil.example"])
def test_a_receiver_that_does_not_name_us_does_not_agree(receiver: WebhookReceiver, origin: str | None) -> None:
    receiver.allowed_origin = origin
    assert not _validate(receiver.url).is_taken


@pytest.mark.parametrize(("text", "rate"), [("120", 120.0), ("*", None), ("0", None), ("nan", None), ("x", None)])
def test_the_rate_that_a_receiver_allows_is_kept(receiver: WebhookReceiver, text: str, rate: float | None) -> None:
    receiver.allowed_rate = text
    assert _validate(receiver.url).rate_per_min == rate


def test_event_grid_asks_by_a_code(receiver: WebhookReceiver) -> None:
    assert _validate(receiver.url, schema=EventSchema.EVENT_GRID).is_taken
    [request] = receiver.handshakes
    assert request.headers["aeg-event-type"] == "SubscriptionValidation"
    [event] = json.loads(request.content)
    assert event["eventType"] == "Microsoft.EventGrid.SubscriptionValidationEvent"
    assert set(event["data"]) == {"validationCode"}
    assert {"id", "topic", "subject", "eventTime", "dataVersion", "metadataVersion"} <= set(event)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"validationResponse": "guess"}', b"[]", b"\xff", b"x" * 1_000_000])
def test_a_receiver_that_does_not_give_the_code_back_does_not_agree(receiver: WebhookReceiver, body: bytes) -> None:
    receiver.gives_code_back = False
    receiver.body = body
    assert not _validate(receiver.url, schema=EventSchema.EVENT_GRID).is_taken


def test_one_cloud_event_comes_alone(receiver: WebhookReceiver) -> None:
    assert _deliver(receiver.url).is_taken
    [request] = receiver.deliveries
    assert request.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert json.loads(request.content)["type"] == "Microsoft.HealthcareApis.DicomImageCreated"


def test_cloud_events_of_a_receiver_of_batches_always_come_in_one(receiver: WebhookReceiver) -> None:
    assert _deliver(receiver.url, EVENTS, batch_max=10).is_taken
    assert _deliver(receiver.url, EVENTS[:1], batch_max=10).is_taken
    first, second = receiver.deliveries
    assert first.headers["content-type"] == "application/cloudevents-batch+json; charset=utf-8"
    assert [len(json.loads(one.content)) for one in (first, second)] == [3, 1]


def test_events_of_event_grid_come_in_an_array_with_its_headers(receiver: WebhookReceiver) -> None:
    with _open(receiver.url, schema=EventSchema.EVENT_GRID) as opened:
        assert opened.deliver(EVENTS[:1], attempt=3).is_taken
    [request] = receiver.deliveries
    assert request.headers["content-type"] == "application/json; charset=utf-8"
    assert request.headers["aeg-event-type"] == "Notification"
    assert request.headers["aeg-subscription-name"] == "RIS"
    assert request.headers["aeg-delivery-count"] == "3"
    [event] = json.loads(request.content)
    assert event["eventType"] == "Microsoft.HealthcareApis.DicomImageCreated"


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_success_is_what_http_calls_so(receiver: WebhookReceiver, status: int) -> None:
    receiver.status = status
    assert _deliver(receiver.url).is_taken


@pytest.mark.parametrize("status", [400, 401, 404, 410, 500, 503])
def test_everything_else_is_a_failure(receiver: WebhookReceiver, status: int) -> None:
    receiver.status = status
    answer = _deliver(receiver.url)
    assert not answer.is_taken
    assert str(status) in answer.reason


def test_a_redirect_is_not_followed(receiver: WebhookReceiver) -> None:
    with receiving() as other:
        receiver.status, receiver.headers = 307, {"Location": other.url}
        assert not _deliver(receiver.url).is_taken
        receiver.status = 303
        assert not _deliver(receiver.url).is_taken
        assert other.received == []


def test_what_is_too_large_is_told_apart(receiver: WebhookReceiver) -> None:
    receiver.status = 413
    assert _deliver(receiver.url, EVENTS, batch_max=10).is_too_large


@pytest.mark.parametrize(
    ("status", "text", "wait_s"),
    [(429, "30", 30.0), (503, "7", 7.0), (503, "soon", None), (500, "30", None), (503, "9" * 40, 999_999_999.0)],
)
def test_a_receiver_may_ask_for_time(receiver: WebhookReceiver, status: int, text: str, wait_s: float | None) -> None:
    receiver.status, receiver.headers = status, {"Retry-After": text}
    assert _deliver(receiver.url).retry_after_s == wait_s


def test_a_receiver_may_name_the_time(receiver: WebhookReceiver) -> None:
    receiver.status, receiver.headers = 503, {"Retry-After": "Wed, 21 Oct 2099 07:28:00 GMT"}
    wait_s = _deliver(receiver.url).retry_after_s
    assert wait_s is not None
    assert wait_s > 1e6


def test_a_secret_is_shown_as_a_bearer_token_or_within_the_address(receiver: WebhookReceiver) -> None:
    _deliver(receiver.url, secret_name="ris")
    _deliver(receiver.url + "?code={secret}&x=1", secret_name="ris")
    _validate(receiver.url, secret_name="ris")
    bearer, in_address = receiver.deliveries
    assert bearer.headers["authorization"] == f"Bearer {SECRET}"
    assert in_address.path == f"/hook?code={SECRET}&x=1"
    assert "authorization" not in in_address.headers
    assert receiver.handshakes[0].headers["authorization"] == f"Bearer {SECRET}"


def test_a_receiver_that_is_not_there_is_told_without_its_secret() -> None:
    answer = _deliver(f"http://127.0.0.1:{free_port()}/hook?code={{secret}}", secret_name="ris")
    assert not answer.is_taken
    assert SECRET not in answer.reason


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"])
def test_a_receiver_that_stands_still_is_given_up(monkeypatch: pytest.MonkeyPatch, begin: bytes) -> None:
    monkeypatch.setattr(webhook, "TIMEOUT_S", 0.2)
    with _silent_server(begin) as port:
        answer = _deliver(f"http://127.0.0.1:{port}/hook")
    assert not answer.is_taken


def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    with _silent_server(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5_000_000) as port:
        assert _deliver(f"http://127.0.0.1:{port}/hook").is_taken


@contextmanager
def _silent_server(begin: bytes) -> Iterator[int]:
    """Accept a connection, say how an answer begins, and then nothing."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                try:
                    connection.sendall(begin)
                    done.wait(30)
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            done.set()
            thread.join()
