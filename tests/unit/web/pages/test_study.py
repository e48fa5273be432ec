from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from starlette.routing import BaseRoute

from isocenter.archive.archive import Archive
from isocenter.domain.audit import AuditRecord
from isocenter.web.console.console import Console
from isocenter.web.pages.instance import instance_page_routes
from isocenter.web.pages.study import StudyPages, study_page_routes
from tests.support.console_studies import ROOT, asked, make_instance
from tests.support.memory_archive import store

HOSTILE = '"><script>alert(1)</script>\u202e'
STUDY = f"/studies/{ROOT}.1"
SERIES = f"{STUDY}/series/{ROOT}.1.1"
INSTANCE = f"{SERIES}/instances/{ROOT}.1.1.1"


def _routes(console: Console, archive: Archive) -> Sequence[BaseRoute]:
    pages = StudyPages(archive)
    return [*study_page_routes(console, pages), *instance_page_routes(console, pages, audit=None)]


def test_a_study_leads_to_its_series_and_both_viewers() -> None:
    with asked(_routes) as (client, archive):
        store(archive, make_instance())
        page = client.get(STUDY).text
    for shown in ("Wide, Wanda", "W1", "CT Head", "Topogram", f'href="{SERIES}"', f'href="/light/{ROOT}.1"'):
        assert shown in page
    assert f'href="/viewer/viewer?StudyInstanceUIDs={ROOT}.1"' in page


def test_a_series_pages_through_its_instances_by_number() -> None:
    with asked(_routes) as (client, archive):
        for number in range(1, 103):
            store(archive, make_instance(number=number))
        first, second = client.get(SERIES).text, client.get(f"{SERIES}?page=2").text
    assert "1–100 of 102 instances" in first
    assert f'rel="next" href="{SERIES}?page=2"' in first
    assert f"{ROOT}.1.1.102</code>" in second
    assert 'rel="next"' not in second


def test_an_instance_shows_nested_private_and_unknown_attributes() -> None:
    item = Dataset()
    item.CodeValue, item.CodeMeaning = "T-A0100", "Brain"
    nested = make_instance(AnatomicRegionSequence=Items([item]))
    with asked(_routes) as (client, archive):
        store(archive, nested)
        page = client.get(INSTANCE).text
    for shown in ("(0008,2218)", "AnatomicRegionSequence", "Item 1", "T-A0100", "Brain", ">PN<"):
        assert shown in page.replace("Anatomic Region Sequence", "AnatomicRegionSequence")


def test_a_long_value_is_cut_and_leads_to_the_whole() -> None:
    text = "x" * 9_000 + HOSTILE
    with asked(_routes) as (client, archive):
        store(archive, make_instance(ImageComments=text))
        page = client.get(INSTANCE).text
        assert "x" * 2_000 in page
        assert "x" * 2_100 not in page
        assert f'href="{INSTANCE}/value?path=00204000"' in page
        whole = client.get(f"{INSTANCE}/value?path=00204000")
    assert whole.text == text
    assert whole.headers["content-type"].startswith("text/plain")
    assert whole.headers["content-security-policy"] == "default-src 'none'; sandbox"


def test_a_value_that_is_not_there_is_not_found() -> None:
    with asked(_routes) as (client, archive):
        store(archive, make_instance())
        endless = f"00100010/{'9' * 5000}/00100010"
        for path in (
            "00204000",
            "00082218/1/00080100",
            "00100010/x/00100010",
            "",
            "a/b",
            "/".join(["00100010"] * 99),
            endless,
        ):
            assert client.get(f"{INSTANCE}/value?path={path}").status_code == 404


def test_hostile_values_are_only_text_on_every_page() -> None:
    values: dict[str, Any] = dict.fromkeys(
        ("PatientName", "PatientID", "StudyDescription", "SeriesDescription", "AccessionNumber"), HOSTILE
    )
    with asked(_routes) as (client, archive):
        store(archive, make_instance(**values))
        for path in (STUDY, SERIES, INSTANCE):
            page = client.get(path)
            assert page.status_code == 200
            assert "<script>alert" not in page.text
            assert " style=" not in page.text


def test_a_name_of_ten_thousand_letters_is_cut_in_headings() -> None:
    with asked(_routes) as (client, archive):
        store(archive, make_instance(PatientName="N" * 10_000))
        for path in (STUDY, SERIES):
            assert "N" * 400 not in client.get(path).text


def test_the_file_comes_bit_for_bit() -> None:
    content = make_instance()
    with asked(_routes) as (client, archive):
        store(archive, content)
        answer = client.get(f"{INSTANCE}/file")
    assert answer.content == content
    assert answer.headers["content-disposition"] == f'attachment; filename="{ROOT}.1.1.1.dcm"'


@pytest.mark.parametrize(
    ("path", "operation", "status"),
    [
        (INSTANCE, "retrieve-metadata", 200),
        (f"{INSTANCE}/value?path=00100010", "retrieve-metadata", 200),
        (f"{INSTANCE}/value?path=00204000", "retrieve-metadata", 404),
        (f"{INSTANCE}/file", "retrieve", 200),
        (f"{SERIES}/instances/{ROOT}.9/file", "retrieve", 404),
    ],
)
def test_who_sees_the_attributes_or_takes_the_file_leaves_a_trail(path: str, operation: str, status: int) -> None:
    records: list[AuditRecord] = []

    def routes(console: Console, archive: Archive) -> Sequence[BaseRoute]:
        return instance_page_routes(console, StudyPages(archive), audit=records.append)

    with asked(routes) as (client, archive):
        store(archive, make_instance())
        assert client.get(path).status_code == status
    assert [(record.operation, record.status) for record in records] == [(operation, None), (operation, status)]
    assert all(record.caller is not None for record in records)
    assert records[0].resource["instance"] == path.split("/instances/")[1].split("/", maxsplit=1)[0]


def test_attributes_can_be_searched() -> None:
    with asked(_routes) as (client, archive):
        store(archive, make_instance())
        page = client.get(f"{INSTANCE}?q=0010,0010").text
    assert "Wide^Wanda" in page
    assert "(0008,0060)" not in page


def test_what_is_not_there_and_what_is_no_uid_are_told_apart() -> None:
    with asked(_routes) as (client, archive):
        store(archive, make_instance())
        assert client.get(f"/studies/{ROOT}.9").status_code == 404
        assert client.get(f"{STUDY}/series/{ROOT}.9").status_code == 404
        assert client.get(f"{SERIES}/instances/{ROOT}.9").status_code == 404
        assert client.get("/studies/x").status_code == 400
