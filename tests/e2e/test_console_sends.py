"""What the console of a real node sends: to DCMTK at once, to a destination by the router, and how that ended."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests.support.console_studies import ROOT, make_instance
from tests.support.dcmtk import storescp
from tests.support.processes import Node, free_port, serve
from tests.support.stow import store

STUDY = f"{ROOT}.1"
ROUTING = """
[channels.in]
source = {{ kind = "stow" }}
[destinations.tape]
kind = "folder"
path = "{tape}"
[[channels.in.rules]]
name = "all"
to = ["tape"]
"""


def _send(node: Node, place: str) -> None:
    answer = httpx.post(f"{node.base_url}/send", data={"study": STUDY, "to": place})
    assert answer.status_code == 303, answer.text


def _wait_for(node: Node, words: str) -> str:
    def is_told() -> bool:
        return words in httpx.get(f"{node.base_url}/send").text

    node.process.wait_until(is_told)
    return httpx.get(f"{node.base_url}/send").text


def test_a_study_goes_to_an_application_entity_and_its_job_tells_so(tmp_path: Path) -> None:
    nobody = free_port()
    with storescp(tmp_path / "received") as peer:
        remotes = ("--remote", peer.peer, "--remote", f"NOBODY@127.0.0.1:{nobody}")
        with serve(tmp_path / "data", arguments=("--auth", "off", *remotes)) as node:
            store(node.dicomweb_url, [make_instance(number=number) for number in (1, 2, 3)])
            page = httpx.get(f"{node.base_url}/send?study={STUDY}").text
            assert 'value="ae:STORESCP"' in page
            _send(node, "ae:STORESCP")
            assert "Wide, Wanda" in _wait_for(node, "All 3 are there")
            assert len(peer.files()) == 3
            _send(node, "ae:NOBODY")
            assert "nobody listens on that port" in _wait_for(node, "0 of 3 are there")
            assert httpx.post(f"{node.base_url}/send", data={"study": STUDY, "to": "ae:WHO"}).status_code == 404


def test_a_study_is_handed_to_a_destination_of_the_router(tmp_path: Path) -> None:
    tape = tmp_path / "tape"
    tape.mkdir()
    file = tmp_path / "channels.toml"
    file.write_text(ROUTING.format(tape=tape))
    with serve(tmp_path / "data", arguments=("--auth", "off", "--set", f"routing.configuration={file}")) as node:
        store(node.dicomweb_url, [make_instance(number=number) for number in (1, 2)])
        _send(node, "to:tape")
        _wait_for(node, "All 2 are there")
        assert len(list(tape.rglob("*.dcm"))) == 2
        _send(node, "to:tape")
        assert "2 had been handed to it before" in _wait_for(node, "handed to it before")
