"""The outage of the PACS that ships, with Orthanc in the place of our PACS."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from isocenter.app.faults.shipped import scenario_text
from tests.support.command_line import CommandLine
from tests.support.peers import require, require_file

PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"

pytestmark = [pytest.mark.interop, pytest.mark.long]

CONFIGURATION = {
    "Name": "ORTHANC",
    "StorageDirectory": "{folder}/orthanc",
    "IndexDirectory": "{folder}/orthanc",
    "DicomAet": "ORTHANC",
    "DicomPort": "PORT",
    "HttpPort": "HTTP_PORT",
    "RemoteAccessAllowed": False,
    "AuthenticationEnabled": False,
    "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
}
PROCESS = """\
[processes.pacs]
command = ["{orthanc}", "{{folder}}/orthanc.json"]
ready = "http://127.0.0.1:{{port.pacs-http}}/system"
"""


def _with_orthanc(text: str) -> str:
    """Return the scenario with Orthanc as the PACS; it has no change feed to count what was stored again by."""
    program, plugin = require("Orthanc"), require_file(PLUGIN)
    process = PROCESS.format(orthanc=program)
    text = re.sub(r"\[processes\.pacs\]\n.*?\n\n", lambda _: process + "\n", text, count=1, flags=re.DOTALL)
    settings = json.dumps({**CONFIGURATION, "Plugins": [plugin]}, indent=1)
    settings = settings.replace('"PORT"', "{port.pacs}").replace('"HTTP_PORT"', "{port.pacs-http}")
    text = text.replace("[files]\n", f"[files]\n\"orthanc.json\" = '''\n{settings}\n'''\n", 1)
    text = text.replace("{port.pacs-http}/v2", "{port.pacs-http}/dicom-web")
    by_feed = '[[expectations]]\nkind = "duplicates-at-most"\narchive = "http://127.0.0.1:{port.pacs-http}/dicom-web"\n'
    assert by_feed in text
    return text.replace(by_feed, "")


def test_an_outage_of_orthanc_as_the_pacs_ends_as_it_promises(tmp_path: Path) -> None:
    path = tmp_path / "orthanc-outage.toml"
    path.write_text(_with_orthanc(scenario_text("pacs-outage")[0]))
    line = CommandLine(tmp_path / "state")
    answer = line.run("faults", "run", path, "--folder", tmp_path / "run", "--control", tmp_path / "c.json", "--json")
    outcome = json.loads(answer.out)
    assert answer.code == 0, json.dumps(outcome["findings"], indent=1) + answer.err
    assert outcome["samples"][-1]["acknowledged"] == 180
