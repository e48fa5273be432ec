"""Every section of the console and the light viewer, wide and narrow, light and dark: they fit and leave pictures.

The pictures are written to `build/screenshots`, one for each page and shape.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import expect

from isocenter.modality.patients import STORY_PATIENTS, Patient
from isocenter.modality.plans import CtSeriesPlan, Region, StudyPlan
from isocenter.modality.studies import iter_study
from tests.browser.conftest import OpenPage
from tests.support.processes import Node, free_port
from tests.support.router import routing_node
from tests.support.stow import store

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

PICTURES = Path(__file__).resolve().parents[2] / "build" / "screenshots"
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
STARTED_AT = datetime(2026, 3, 1, 9, 30)
STUDY, OTHER = "2.25.900100", "2.25.900200"
CONFIGURATION = """
[channels.modalities]
description = "Modalities send here"
source = {{ kind = "dimse", listen = "QIEROUTER@127.0.0.1:{port}" }}
[[channels.modalities.rules]]
name = "to the PACS and the cloud"
to = ["pacs", "cloud"]
[channels.feed]
source = {{ kind = "feed" }}
[[channels.feed.rules]]
name = "everything"
to = ["pacs"]
[destinations.pacs]
kind = "dimse"
remote = "PACS@127.0.0.1:{dead}"
[destinations.cloud]
kind = "dicomweb"
url = "http://127.0.0.1:{dead}/v2"
"""
PAGES = {
    "studies": "/",
    "patients": "/patients",
    "study": f"/studies/{STUDY}",
    "upload": "/upload",
    "query": "/query",
    "router": "/router",
    "deliveries": "/router/deliveries",
    "shelf": "/router/shelf",
    "try-rules": "/router/try",
    "configuration": "/router/configuration",
    "replay": "/router/replay",
    "feed": "/service",
    "query-tags": "/service/query-tags",
    "operations": "/service/operations",
    "partitions": "/service/partitions",
    "workitems": "/service/workitems",
    "figures": "/system",
    "associations": "/system/associations",
    "doctor": "/system/doctor",
    "settings": "/system/settings",
    "light-viewer": f"/light/{STUDY}",
    "light-attributes": f"/light/{OTHER}",
    "api": "/docs/api/v2",
}


def _study(study_instance_uid: str, patient: Patient, description: str) -> Iterator[bytes]:
    series = CtSeriesPlan(Region.HEAD, description, 3, 5.0, 0.0, 240.0, (40, 90), edge=128)
    plan = StudyPlan(patient, STARTED_AT, "A1", description, (series,), study_instance_uid=study_instance_uid)
    return iter_study(plan, 7)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("every-page")
    text = CONFIGURATION.format(port=free_port(), dead=free_port())
    remote = ("--dicom", f"NODE@127.0.0.1:{free_port()}", "--remote", f"PACS@127.0.0.1:{free_port()}")
    with routing_node(folder, text, *remote) as routing:
        store(routing.node.dicomweb_url, _study(STUDY, STORY_PATIENTS[0], "CT of the head"))
        hostile = Patient(HOSTILE, HOSTILE, STORY_PATIENTS[1].birth_date, "O")
        store(routing.node.dicomweb_url, _study(OTHER, hostile, HOSTILE))
        yield routing.node


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_every_page_fits_and_runs_nothing_of_what_it_shows(
    node: Node, open_page: OpenPage, width: int, height: int, scheme: Literal["light", "dark"]
) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    page = open_page(width=width, height=height, color_scheme=scheme)
    for name, path in PAGES.items():
        answer = page.goto(node.base_url + path)
        assert answer is not None
        assert answer.status == 200, path
        expect(page.locator("body")).to_be_visible()
        page.screenshot(path=PICTURES / f"{name}-{width}x{height}-{scheme}.png")
        wider = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not page.evaluate(wider), f"{path} scrolls sideways"
        assert page.locator("img[src=x]").count() == 0, path
