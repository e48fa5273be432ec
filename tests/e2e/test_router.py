"""Channels of the started node: whatever way an instance comes, it goes where the rules say, and counters add up."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from isocenter.dimse.message.messages import CEchoRq, CEchoRsp
from isocenter.dimse.ul.pdu import REJECT_TEMPORARY_CONGESTION, AssociateAc
from tests.support.command_line import CommandLine
from tests.support.dcmtk import DcmtkServer, storescp
from tests.support.dicomweb import client, instance_urls
from tests.support.instances import identify
from tests.support.processes import free_port, is_listening
from tests.support.raw_peer import VERIFICATION, associate_rq, associated, raw_peer
from tests.support.router import EXPLICIT, RoutingNode, files_below, routing_node, send
from tests.support.small_instances import make_instance

CONFIGURATION = """
[channels.router]
source = {{ kind = "dimse", listen = "QIEROUTER@127.0.0.1:{router}" }}
[[channels.router.rules]]
name = "not from the test room"
when = 'calling_ae_title = "TESTROOM"'
then = "stop"
[[channels.router.rules]]
name = "CT to the PACS"
when = 'Modality = "CT"'
to = ["pacs"]

[channels.sure]
source = {{ kind = "dimse", listen = "SURE@127.0.0.1:{sure}", acknowledge = "delivered", callers = ["CT1"] }}
[[channels.sure.rules]]
name = "all"
to = ["tape"]

[channels.web]
source = {{ kind = "stow" }}
[[channels.web.rules]]
name = "all"
to = ["tape"]

[channels.drop]
[channels.drop.source]
kind = "folder"
path = "{folder}/in"
settle = "0s"
moved_to = "{folder}/done"
[[channels.drop.rules]]
name = "all"
to = ["tape"]

[channels.copies]
source = {{ kind = "feed" }}
[[channels.copies.rules]]
name = "only study 7"
when = 'StudyInstanceUID like "*.1455.7"'
to = ["copy"]

[destinations.pacs]
kind = "dimse"
remote = "PACS@127.0.0.1:{pacs}"
calling_ae_title = "keep"
workers = 1
[destinations.tape]
kind = "folder"
path = "{folder}/tape"
[destinations.copy]
kind = "folder"
path = "{folder}/copy"
"""


@dataclass(frozen=True, slots=True)
class Hospital:
    """A node with channels, and where they lead."""

    routing: RoutingNode
    pacs: DcmtkServer
    folder: Path
    router_port: int
    sure_port: int


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    folder = tmp_path_factory.mktemp("hospital")
    for name in ("in", "tape", "copy"):
        (folder / name).mkdir()
    with storescp(folder / "pacs", "-d", ae_title="PACS") as pacs:
        router, sure = free_port(), free_port()
        text = CONFIGURATION.format(router=router, sure=sure, pacs=pacs.port, folder=folder)
        with routing_node(folder, text) as routing:
            yield Hospital(routing, pacs, folder, router, sure)


@pytest.fixture
def commands(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


def test_what_a_modality_sends_reaches_the_pacs_under_its_own_title(hospital: Hospital) -> None:
    before = hospital.routing.counters("router")
    statuses = send(hospital.router_port, *(make_instance(identify(1, 1, n)) for n in range(3)), called="QIEROUTER")
    counters = hospital.routing.wait_settled("router", before["received"] + 3)
    assert (statuses, counters["delivered"]) == ([0, 0, 0], before["delivered"] + 3)
    log = hospital.pacs.process.log_path.read_text()
    assert any("Calling Application Name" in line and "CT1" in line for line in log.splitlines())
    assert len(hospital.pacs.files()) >= 3


def test_what_no_rule_sends_anywhere_is_counted_and_explained(hospital: Hospital, commands: CommandLine) -> None:
    before = hospital.routing.counters("router")
    [status] = send(hospital.router_port, make_instance(identify(2)), called="QIEROUTER", calling="TESTROOM")
    after = hospital.routing.wait_settled("router", before["received"] + 1)
    assert status == 0
    assert after["cancelled"] == before["cancelled"] + 1
    assert after["sent_nowhere"] == before["sent_nowhere"] + 1
    told = commands.must("rule", "explain", identify(2).sop_instance_uid, "--node", hospital.routing.node.base_url)
    assert "to nowhere, of channel router" in told
    assert "not from the test room: matched" in told
    assert 'yes  calling_ae_title = "TESTROOM"' in told
    assert "CT to the PACS: not asked" in told


def test_the_same_instance_again_is_delivered_once(hospital: Hospital) -> None:
    one = make_instance(identify(3))
    before = hospital.routing.counters("router")["received"]
    assert send(hospital.router_port, one, one, called="QIEROUTER") == [0, 0]
    assert hospital.routing.wait_settled("router", before + 1)["received"] == before + 1


def test_api_and_command_line_tell_the_same_counters(hospital: Hospital, commands: CommandLine) -> None:
    send(hospital.router_port, make_instance(identify(4)), called="QIEROUTER")
    shown = hospital.routing.wait_settled("router", 1)
    listed = json.loads(commands.must("channel", "list", "--json", "--node", hospital.routing.node.base_url))
    [router] = [one for one in listed if one["name"] == "router"]
    assert router["counters"] == shown
    total = hospital.routing.get("")["counters"]
    parts = ("delivered", "waiting", "needs_human", "cancelled")
    assert total["received"] == sum(total[part] for part in parts)


def test_a_sender_that_wants_to_be_sure_is_answered_when_it_is_delivered(hospital: Hospital) -> None:
    one = make_instance(identify(5))
    before = len(files_below(hospital.folder / "tape"))
    assert send(hospital.sure_port, one, called="SURE") == [0]
    assert len(files_below(hospital.folder / "tape")) == before + 1


def test_a_channel_lets_in_only_the_callers_that_it_names(hospital: Hospital) -> None:
    async def associate(calling: str) -> object:
        async with raw_peer(hospital.sure_port) as peer:
            return await peer.associate(associate_rq((VERIFICATION, EXPLICIT), called="SURE", calling=calling))

    assert isinstance(asyncio.run(associate("CT1")), AssociateAc)
    assert not isinstance(asyncio.run(associate("MR1")), AssociateAc)


def test_a_store_request_to_a_channel_is_kept_and_sent_on(hospital: Hospital) -> None:
    one = make_instance(identify(6))
    before = hospital.routing.counters("web")["received"]
    url = f"{hospital.routing.node.base_url}/channels/web/studies"
    answer = client().post(url, content=one.content, headers={"Content-Type": "application/dicom"})
    assert answer.status_code == httpx.codes.OK, answer.text
    [where] = instance_urls(answer)
    assert client().get(where, headers={"Accept": "application/dicom"}).status_code == httpx.codes.OK
    assert client().get(url).status_code != httpx.codes.OK
    elsewhere = url.replace("/web/", "/router/")
    assert client().post(elsewhere, content=one.content).status_code == httpx.codes.NOT_FOUND
    assert hospital.routing.wait_settled("web", before + 1)["delivered"] >= 1


def test_files_of_a_folder_are_taken_and_moved_and_others_put_aside(hospital: Hospital) -> None:
    one = make_instance(identify(8))
    (hospital.folder / "in" / "one").write_bytes(one.content)
    (hospital.folder / "in" / "letter.txt").write_bytes(b"Dear colleague")
    hospital.routing.wait_settled("drop", 1)
    process = hospital.routing.node.process
    process.wait_until(lambda: not files_below(hospital.folder / "in"))
    assert (hospital.folder / "done" / "one").read_bytes() == one.content
    assert (hospital.folder / "done" / "refused" / "letter.txt").exists()
    [refusal] = hospital.routing.get("/channels/drop/refusals")["refusals"]
    assert refusal["reason"] == "The bytes are not a DICOM instance that can be stored."


def test_the_feed_sends_what_the_archive_stores_by_whichever_way(hospital: Hospital) -> None:
    one, other = make_instance(identify(7)), make_instance(identify(9))
    url = f"{hospital.routing.node.dicomweb_url}/studies"
    for each in (one, other):
        client().post(url, content=each.content, headers={"Content-Type": "application/dicom"}).raise_for_status()
    process = hospital.routing.node.process
    process.wait_until(lambda: bool(files_below(hospital.folder / "copy")))
    [copied] = files_below(hospital.folder / "copy")
    assert copied.read_bytes() == one.content


def test_a_paused_channel_refuses_for_the_time_being_and_a_stopped_one_is_not_there(
    hospital: Hospital, commands: CommandLine
) -> None:
    at = ("--node", hospital.routing.node.base_url)
    commands.must("channel", "pause", "router", "web", "--reason", "a test", *at)
    try:
        assert asyncio.run(_rejection(hospital.router_port)) == REJECT_TEMPORARY_CONGESTION
        url = f"{hospital.routing.node.base_url}/channels/web/studies"
        answer = client().post(url, content=b"", headers={"Content-Type": "application/dicom"})
        assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
        commands.must("channel", "stop", "router", *at)
        assert not is_listening(hospital.router_port)
        assert is_listening(hospital.sure_port)
    finally:
        commands.must("channel", "restart", "router", "web", *at)
    assert is_listening(hospital.router_port)
    status = hospital.routing.get("/channels/router")
    assert (status["state"], status["ordered_by"]) == ("started", "local")


async def _rejection(port: int) -> object:
    async with raw_peer(port) as peer:
        return await peer.associate(associate_rq((VERIFICATION, EXPLICIT), called="QIEROUTER"))


def test_deliveries_are_held_released_cancelled_and_sent_again(hospital: Hospital, commands: CommandLine) -> None:
    at, study = ("--node", hospital.routing.node.base_url), identify(10).study_instance_uid
    ask = hospital.routing.must
    ask("POST", "/destinations/pacs/hold", {"reason": "a test"})
    try:
        send(hospital.router_port, make_instance(identify(10)), called="QIEROUTER")
        for step in ("hold", "release", "cancel"):
            stepped = ask("POST", f"/deliveries/{step}", {"selection": {"study": study}})
            assert stepped == {"count": 1, "is_complete": True}, step
        assert commands.run("delivery", "cancel", "--study", study, "--yes", *at).code == 1
        again = ("delivery", "send-again", "--state", "cancelled", "--destination", "pacs", "--study", study, "--yes")
        assert "1 delivery queued again" in commands.must(*again, *at)
        [shown] = json.loads(commands.must("destination", "list", "--json", *at))[:1]
        assert shown["hold"]["why"] == "a test"
    finally:
        ask("POST", "/destinations/pacs/release")
    hospital.routing.wait_settled("router", 1)
    [row] = hospital.routing.get(f"/deliveries?channel=router&study={study}")["deliveries"]
    assert (row["state"], row["rule"]) == ("delivered", "CT to the PACS")
    [series] = hospital.routing.get(f"/studies/{study}")["series"]
    assert (series["destination"], series["delivered"]) == ("pacs", 1)
    attempts = hospital.routing.get(f"/deliveries/{row['delivery']}")["attempts"]
    assert attempts[0]["explanation"]["name"]


def test_another_configuration_holds_at_once_and_leaves_the_others_alone(
    hospital: Hospital, commands: CommandLine, tmp_path: Path
) -> None:
    at = ("--node", hospital.routing.node.base_url)
    before = hospital.routing.get("/configuration?form=written")
    text = before["text"].replace('name = "all"\nto = ["tape"]', 'name = "all"\nto = ["tape", "copy"]', 1)
    file = tmp_path / "new.toml"
    file.write_text(text)

    async def change_beside_an_association() -> object:
        async with associated(hospital.router_port, associate_rq((VERIFICATION, EXPLICIT), called="QIEROUTER")) as peer:
            told = await asyncio.to_thread(
                commands.must, "routing", "import", file, "--yes", "--reason", "copies too", *at
            )
            assert "holds." in told
            await peer.send_message(1, CEchoRq(message_id=1, affected_sop_class_uid=VERIFICATION))
            return (await peer.message()).message

    try:
        assert isinstance(asyncio.run(change_beside_an_association()), CEchoRsp)
        latest = hospital.routing.get("/configuration/versions")["versions"][0]
        assert (latest["version"], latest["reason"]) == (before["version"] + 1, "copies too")
        replayed = commands.must("rule", "replay", *at)
        assert "also to copy" in replayed or "sure: " not in replayed
    finally:
        commands.must("routing", "rollback", str(before["version"]), *at)
    assert hospital.routing.get("/configuration?form=written")["text"] == before["text"]
    exported = commands.must("routing", "export", *at)
    assert exported == commands.must("routing", "export", *at)
    assert "[channels.router" in exported


def test_a_configuration_that_cannot_be_used_changes_nothing(hospital: Hospital) -> None:
    before = hospital.routing.get("/configuration")
    wrong = hospital.routing.ask("PUT", "/configuration", {"text": before["text"].replace('"pacs"', '"pakcs"', 1)})
    assert wrong.status_code == httpx.codes.BAD_REQUEST
    assert "did you mean" in wrong.json()["problems"][0]["message"]
    taken = before["text"] + (
        f'\n[channels.more.source]\nkind = "dimse"\nlisten = "MORE@127.0.0.1:{hospital.pacs.port}"\n'
    )
    assert hospital.routing.ask("PUT", "/configuration", {"text": taken}).status_code == httpx.codes.SERVICE_UNAVAILABLE
    late = hospital.routing.ask("PUT", "/configuration", {"text": before["text"], "version": before["version"] + 5})
    assert late.status_code == httpx.codes.CONFLICT
    assert hospital.routing.get("/configuration") == before


def test_orders_and_versions_outlive_the_node(tmp_path: Path, commands: CommandLine) -> None:
    text = (
        f'[channels.one]\nsource = {{ kind = "dimse", listen = "ONE@127.0.0.1:{free_port()}" }}\n'
        '[[channels.one.rules]]\nname = "all"\nto = ["lost"]\n'
        f'[destinations.lost]\nkind = "folder"\npath = "{tmp_path}/nowhere"\n'
    )
    with routing_node(tmp_path, text) as first:
        port = int(first.get("/channels/one")["address"].rpartition(":")[2])
        send(port, make_instance(identify(1)), called="ONE")
        asked = ("--data-dir", tmp_path / "data", "--reason", "for the night")
        assert commands.must("channel", "pause", "one", *asked) == "one is paused.\n"
    node = ("--data-dir", tmp_path / "data", "--set", f"routing.configuration={tmp_path}/channels.toml")
    [stopped] = json.loads(commands.must("channel", "list", "--json", *node))
    assert (stopped["state"], stopped["counters"]["waiting"]) == ("paused", 1)
    assert "1 delivery cancelled" in commands.must("delivery", "cancel", "--channel", "one", "--yes", *node)
    with routing_node(tmp_path, text) as second:
        status = second.get("/channels/one")
        assert (status["state"], status["reason"]) == ("paused", "for the night")
        assert status["counters"]["cancelled"] == 1
        assert [one["version"] for one in second.get("/configuration/versions")["versions"]] == [1]


def test_where_no_room_is_left_senders_are_told_before_they_send(tmp_path: Path) -> None:
    port = free_port()
    text = f'[channels.one]\nsource = {{ kind = "dimse", listen = "QIEROUTER@127.0.0.1:{port}" }}\n'
    text += '[channels.web]\nsource = { kind = "stow" }\n'
    with routing_node(tmp_path, text, "--set", "storage.reserve_bytes=1000TiB") as routing:
        assert asyncio.run(_rejection(port)) == REJECT_TEMPORARY_CONGESTION
        url, one = f"{routing.node.base_url}/channels/web/studies", make_instance(identify())
        answer = client().post(url, content=one.content, headers={"Content-Type": "application/dicom"})
        assert answer.status_code == httpx.codes.INSUFFICIENT_STORAGE
        assert routing.get("")["counters"]["received"] == 0


def test_a_translator_is_stopped_and_started_like_a_channel(tmp_path: Path, commands: CommandLine) -> None:
    port = free_port()
    text = (
        f'[translators.cloud]\nlisten = "QIETOAZURE@127.0.0.1:{port}"\nupstream = "cloud"\n'
        '[destinations.cloud]\nkind = "dicomweb"\nurl = "http://127.0.0.1:1"\n'
    )
    with routing_node(tmp_path, text) as routing:
        assert is_listening(port)
        commands.must("channel", "stop", "translators.cloud", "--node", routing.node.base_url)
        assert not is_listening(port)
        [status] = routing.get("/channels")["channels"]
        assert (status["kind"], status["state"], status["destinations"]) == ("translator", "stopped", ["cloud"])
        other = free_port()
        changed = text.replace(str(port), str(other))
        routing.must("PUT", "/configuration", {"text": changed})
        assert not is_listening(other)
        routing.must("POST", "/channels/translators.cloud/start")
        assert (is_listening(other), is_listening(port)) == (True, False)


def test_a_channel_whose_port_is_taken_says_so_and_lets_the_others_go_on(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        taken, free = stranger.getsockname()[1], free_port()
        text = "".join(
            f'[channels.{name}]\nsource = {{ kind = "dimse", listen = "ONE@127.0.0.1:{port}" }}\n'
            for name, port in (("first", taken), ("second", free))
        )
        with routing_node(tmp_path, text) as routing:
            first, second = routing.get("/channels")["channels"]
            assert (first["state"], second["state"]) == ("failed", "started")
            assert str(taken) in first["problem"]
            assert routing.ask("POST", "/channels/first/start").status_code == httpx.codes.SERVICE_UNAVAILABLE
            stranger.close()
            assert routing.must("POST", "/channels/first/start")["state"] == "started"
            assert is_listening(taken)


@pytest.mark.parametrize("called", ["QIEROUTER", "SURE"])
def test_a_modality_may_ask_a_channel_for_commitment(
    hospital: Hospital, commands: CommandLine, tmp_path: Path, called: str
) -> None:
    port = {"QIEROUTER": hospital.router_port, "SURE": hospital.sure_port}[called]
    sent, missing = (make_instance(identify(40, series, len(called))) for series in (1, 2))
    for name, one in (("sent", sent), ("missing", missing)):
        (tmp_path / f"{name}.dcm").write_bytes(one.content)
    assert send(port, sent, called=called) == [0]
    peer = ("--to", f"{called}@127.0.0.1:{port}", "--as", "CT1", "--json")
    safe = json.loads(commands.must("commit", tmp_path / "sent.dcm", *peer))
    committed = [one["sop_instance_uid"] for one in safe["committed"]]
    assert (committed, safe["failed"]) == ([sent.identifier.sop_instance_uid], [])
    ended = commands.run("commit", tmp_path / "sent.dcm", tmp_path / "missing.dcm", *peer)
    assert ended.code == 1
    assert [one["reason"] for one in json.loads(ended.out)["failed"]] == ["0112"]
