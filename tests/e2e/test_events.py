"""Events of a started node to a receiver on another port: order, both envelopes, dead receivers, kills, latency."""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from tests.support.instances import identify
from tests.support.processes import Node, free_port, serve
from tests.support.small_instances import SmallInstance, make_instance
from tests.support.webhook_receiver import WebhookReceiver, receiving

DICOM_JSON = "application/dicom+json"
CREATED, UPDATED, DELETED = (f"Microsoft.HealthcareApis.DicomImage{word}" for word in ("Created", "Updated", "Deleted"))
LATENCY_MAX_S = 10.0
"""What the service promises on average (dicom-service 12.6)."""


def _settings(*subscribers: str) -> Mapping[str, str]:
    return {
        "ISOCENTER_EVENTS_SUBSCRIBERS": ";".join(subscribers),
        "ISOCENTER_EVENTS_SERVICE_HOST": "demo.dicom.local",
        "ISOCENTER_EVENTS_SOURCE": "/workspaces/demo",
    }


def _store(node: Node, instance: SmallInstance, *, method: str = "POST") -> None:
    headers = {"Content-Type": "application/dicom", "Accept": DICOM_JSON}
    answer = httpx.request(
        method, f"{node.base_url}/v2/studies", content=instance.content, headers=headers, trust_env=False
    )
    assert answer.status_code in (200, 202), answer.text


def _instance(number: int, *, seed: int = 0) -> SmallInstance:
    return make_instance(identify(1, 1, number), seed=seed)


def _path(instance: SmallInstance) -> str:
    one = instance.identifier
    return f"studies/{one.study_instance_uid}/series/{one.series_instance_uid}/instances/{one.sop_instance_uid}"


@pytest.mark.parametrize("schema", ["cloudevents", "eventgrid"])
def test_create_update_and_delete_are_told_in_order(tmp_path: Path, schema: str) -> None:
    instance = _instance(1)
    with (
        receiving() as receiver,
        serve(tmp_path / "data", environment=_settings(f"ris {receiver.url} schema={schema}")) as node,
    ):
        _store(node, instance)
        _store(node, _instance(1, seed=7), method="PUT")
        httpx.delete(f"{node.base_url}/v2/{_path(instance)}", trust_env=False).raise_for_status()
        receiver.wait(lambda: len(receiver.events) == 3)
        feed = httpx.get(f"{node.base_url}/v2/changefeed?includeMetadata=false", trust_env=False).json()
    type_name, time_name = ("type", "time") if schema == "cloudevents" else ("eventType", "eventTime")
    assert [event[type_name] for event in receiver.events] == [CREATED, UPDATED, DELETED]
    assert receiver.sequences == [row["sequence"] for row in feed]
    assert [datetime.fromisoformat(event[time_name]) for event in receiver.events] == [
        datetime.fromisoformat(row["timestamp"]) for row in feed
    ]
    [subject] = {event["subject"] for event in receiver.events}
    assert subject == f"demo.dicom.local/v1/{_path(instance)}"
    assert {event["data"]["serviceHostName"] for event in receiver.events} == {"demo.dicom.local"}
    assert len(receiver.handshakes) == 1
    assert len({event["id"] for event in receiver.events}) == 3


def test_events_come_within_a_part_of_the_time_that_is_promised(tmp_path: Path) -> None:
    with receiving() as receiver, serve(tmp_path / "data", environment=_settings(f"ris {receiver.url}")) as node:
        receiver.wait(lambda: len(receiver.handshakes) == 1)
        for number in range(1, 21):
            _store(node, _instance(number))
            time.sleep(0.02)
        receiver.wait(lambda: len(receiver.events) == 20)
    delays_s = [
        request.at_s - datetime.fromisoformat(event["time"]).timestamp()
        for request in receiver.deliveries
        for event in request.events
    ]
    print(f"latency: median {statistics.median(delays_s):.3f} s, longest {max(delays_s):.3f} s")  # noqa: T201
    assert max(delays_s) < LATENCY_MAX_S / 2


def test_a_dead_receiver_gets_everything_when_it_is_back(tmp_path: Path) -> None:
    receiver = WebhookReceiver(port=free_port())
    with serve(tmp_path / "data", environment=_settings(f"ris {receiver.url} batch=7")) as node:
        node.process.wait_until(lambda: "events.not_taken" in node.process.log())
        for number in range(1, 31):
            _store(node, _instance(number))
        with receiving(receiver):
            receiver.wait(lambda: len(receiver.events) >= 20)
        for number in range(31, 41):
            _store(node, _instance(number))
        with receiving(receiver):
            receiver.wait(lambda: 40 in receiver.sequences)
    _require_all_in_order(receiver, 40)


def _require_all_in_order(receiver: WebhookReceiver, count: int) -> None:
    """Each number comes, and comes first only after all before it: repetitions are all that is allowed."""
    first_seen = list(dict.fromkeys(receiver.sequences))
    assert first_seen == list(range(1, count + 1))


def test_kills_lose_no_event(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown with a failure
    moments, number = random.Random(seed), 0
    with receiving() as receiver:
        receiver.delay_s = 0.005
        environment = _settings(f"ris {receiver.url} batch=3")
        for _ in range(4):
            with serve(tmp_path / "data", environment=environment, must_end_cleanly=False) as node:
                for _ in range(15):
                    number += 1
                    _store(node, _instance(number))
                time.sleep(moments.uniform(0, 0.4))
                node.process.kill()
        with serve(tmp_path / "data", environment=environment) as node:
            receiver.wait(lambda: number in receiver.sequences)
    _require_all_in_order(receiver, number)
    ids = {(event["data"]["sequenceNumber"], event["id"]) for event in receiver.events}
    assert len(ids) == number


def test_what_was_not_told_before_a_rebuild_of_the_index_is_told_after_it(tmp_path: Path) -> None:
    with receiving() as receiver:
        environment = _settings(f"ris {receiver.url}")
        with serve(tmp_path / "data", environment=environment) as node:
            _store(node, _instance(1))
            _store(node, _instance(2))
            receiver.wait(lambda: len(receiver.events) == 2)
        with serve(tmp_path / "data") as node:
            _store(node, _instance(3))
        program = str(Path(sys.executable).with_name("isocenter"))
        subprocess.run([program, "reindex", "--data-dir", str(tmp_path / "data")], check=True, capture_output=True)
        with serve(tmp_path / "data", environment=environment) as node:
            receiver.wait(lambda: len(receiver.events) == 3)
            _store(node, _instance(4))
            receiver.wait(lambda: len(receiver.events) == 4)
    uids = [event["data"]["imageSopInstanceUid"] for event in receiver.events]
    assert uids == [_instance(number).identifier.sop_instance_uid for number in (1, 2, 3, 4)]


def test_secrets_are_shown_to_the_receiver_alone(tmp_path: Path) -> None:
    secrets = tmp_path / "data" / "event-secrets"
    secrets.mkdir(parents=True)
    (secrets / "ris").write_text("s3cr3t\n")
    with receiving() as receiver:
        url = f"{receiver.url}?code={{secret}}"
        environment = _settings(f"ris {url} secret=ris", f"pacs {receiver.url} secret=ris schema=eventgrid")
        with serve(tmp_path / "data", environment=environment) as node:
            _store(node, _instance(1))
            receiver.wait(lambda: len(receiver.events) == 2)
            receiver.status = 500
            _store(node, _instance(2))
            node.process.wait_until(lambda: "answered 500" in node.process.log())
            log = node.process.log()
    assert "s3cr3t" not in log
    shown = {request.path + request.headers.get("authorization", "") for request in receiver.deliveries}
    assert shown == {"/hook?code=s3cr3t", "/hookBearer s3cr3t"}


def test_a_secret_that_is_not_there_is_told_at_the_start(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("isocenter")), "serve", "--data-dir", str(tmp_path / "data")]
    setting = "events.subscribers=ris https://ris.example/hook secret=ris"
    done = subprocess.run(
        [*command, "--http", "127.0.0.1:0", "--set", setting], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode != 0
    assert "There is no secret ris" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_was_told_is_counted(tmp_path: Path) -> None:
    with receiving() as receiver, serve(tmp_path / "data", environment=_settings(f"ris {receiver.url}")) as node:
        for number in (1, 2, 3):
            _store(node, _instance(number))
        receiver.wait(lambda: len(receiver.events) == 3)
        node.process.wait_until(lambda: _metric(node, 'events_total{result="delivered",subscriber="ris"}') == 3)
        assert _metric(node, 'events_behind{subscriber="ris"}') == 0


def _metric(node: Node, name: str) -> float:
    text = httpx.get(f"{node.base_url}/metrics", trust_env=False).text
    return next(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(f"isocenter_{name} "))


def test_a_node_ends_in_time_though_a_receiver_does_not_answer(tmp_path: Path) -> None:
    with receiving() as receiver:
        receiver.delay_s = 20.0
        with serve(tmp_path / "data", environment=_settings(f"ris {receiver.url}"), must_end_cleanly=False) as node:
            _store(node, _instance(1))
            began_s = time.monotonic()
            assert node.process.terminate() == 0
            assert time.monotonic() - began_s < 10
