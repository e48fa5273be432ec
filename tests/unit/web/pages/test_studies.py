from __future__ import annotations

import re
from collections.abc import Mapping

from starlette.applications import Starlette

from isocenter.domain.attributes import BY_KEYWORD
from isocenter.domain.errors import Unauthenticated
from isocenter.domain.principal import LOCAL_OWNER, READER_ACTIONS, Principal
from isocenter.domain.query import OneOf, SearchRow, WordPrefixes
from isocenter.web.console.console import Console
from isocenter.web.console.section import STUDIES
from isocenter.web.pages.studies import study_routes
from tests.support.asgi_client import AsgiClient
from tests.support.studies_listed import StudiesListed, listed

HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'{{7*7}}"


def _study(number: int, **values: str) -> SearchRow:
    known = {
        "StudyInstanceUID": f"1.2.{number}",
        "PatientName": f"Patient^Nr{number}",
        "ModalitiesInStudy": "CT\\SR",
        "NumberOfStudyRelatedInstances": "1200",
    }
    return listed(known | values)


def _client(directory: StudiesListed, *, principal: Principal = LOCAL_OWNER) -> AsgiClient:
    console = Console(authenticate=lambda headers: principal, login_path=None, sections=(STUDIES,))
    return AsgiClient(Starlette(routes=study_routes(console, directory)))


def test_an_empty_archive_says_what_to_do() -> None:
    page = _client(StudiesListed([])).get("/").text
    assert "No studies yet" in page
    assert "isocenter store PATH --to http://testserver" in page


def test_a_search_without_a_hit_offers_the_way_back() -> None:
    page = _client(StudiesListed([])).get("/?patient=nobody").text
    assert "No study matches" in page
    assert 'href="/"' in page


def test_a_study_shows_its_values_and_opens_in_the_viewer() -> None:
    page = _client(StudiesListed([_study(7, StudyDescription="CT Head", AccessionNumber="A77")])).get("/").text
    for shown in ("Patient, Nr7", "CT Head", "A77", ">CT</span>", ">SR</span>", "1,200", "1 study"):
        assert shown in page
    assert 'href="/viewer/viewer?StudyInstanceUIDs=1.2.7"' in page


def test_values_of_images_and_of_the_address_are_escaped() -> None:
    row = _study(
        1,
        PatientName=HOSTILE,
        PatientID=HOSTILE,
        StudyDescription=HOSTILE,
        AccessionNumber=HOSTILE,
        ModalitiesInStudy=HOSTILE,
        ReferringPhysicianName=HOSTILE,
        StudyDate=HOSTILE,
        PatientSex=HOSTILE,
    )
    series = listed({"StudyInstanceUID": "1.2.1", "SeriesInstanceUID": HOSTILE, "SeriesDescription": HOSTILE})
    parameters = dict.fromkeys(("patient", "id", "accession", "description", "modality"), HOSTILE)
    page = _client(StudiesListed([row], [series])).get("/", params=parameters | {"opened": "1.2.1"}).text
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "{{7*7}}" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_a_filter_is_asked_of_the_archive_and_stays_in_the_form() -> None:
    directory = StudiesListed([_study(1)])
    page = _client(directory).get("/?patient=smith").text
    assert directory.queries[0].matches == (WordPrefixes(BY_KEYWORD["PatientName"].tag, ("smith",)),)
    assert 'value="smith"' in page
    assert "1 study found" in page


def test_pages_lead_to_each_other_and_keep_the_filter() -> None:
    client = _client(StudiesListed([_study(number) for number in range(60)]))
    first, last = client.get("/?patient=nr").text, client.get("/?patient=nr&page=3").text
    assert 'rel="next" href="/?patient=nr&amp;page=2"' in first
    assert 'rel="prev"' not in first
    assert "1–25 of 60" in first
    assert 'rel="prev" href="/?patient=nr&amp;page=2"' in last
    assert 'rel="next"' not in last
    assert "51–60 of 60" in last


def test_a_page_beyond_the_last_one_still_tells_how_many_were_found() -> None:
    few = _client(StudiesListed([_study(number) for number in range(3)])).get("/?patient=nr&page=50").text
    assert "There is nothing on this page" in few
    assert "3 studies found" in few
    many = _client(StudiesListed([_study(number) for number in range(1200)])).get("/?patient=nr&page=50").text
    assert "More than 1,000 studies found" in many


def test_an_opened_study_shows_its_series_without_script() -> None:
    series = [
        listed(
            {
                "StudyInstanceUID": "1.2.1",
                "SeriesInstanceUID": "1.2.1.9",
                "SeriesDescription": "Topogram",
                "NumberOfSeriesRelatedInstances": "1",
            }
        )
    ]
    client = _client(StudiesListed([_study(1), _study(2)], series))
    closed, opened = client.get("/").text, client.get("/?opened=1.2.1").text
    assert "Topogram" not in closed
    assert 'href="/?opened=1.2.1"' in closed
    assert "Topogram" in opened
    assert 'src="/dicom-web/studies/1.2.1/series/1.2.1.9/thumbnail?viewport=128,128"' in opened
    assert "Topogram" in client.get("/studies/1.2.1/series").text


def test_behind_a_proxy_every_link_carries_its_prefix() -> None:
    series = [listed({"StudyInstanceUID": "1.2.1", "SeriesInstanceUID": "1.2.1.9"})]
    client = _client(StudiesListed([_study(1)], series))
    page = client.get("/?opened=1.2.1", headers={"X-Forwarded-Prefix": "/imaging"}).text
    links = [
        part.split('"')[0] for word in ('href="', 'src="', 'action="', 'data-series="') for part in page.split(word)[1:]
    ]
    assert links
    assert [link for link in links if not link.startswith(("/imaging/", "#"))] == []


def test_pages_are_not_stored_and_run_no_foreign_script() -> None:
    headers = _client(StudiesListed([])).get("/").headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]


def test_pages_hold_no_inline_script_or_style() -> None:
    page = _client(StudiesListed([_study(1)])).get("/").text
    assert "<script>" not in page
    assert "<style" not in page
    assert " style=" not in page
    assert re.search(r"<[^>]*\son\w+=", page) is None


def test_a_date_that_is_none_is_answered_in_words() -> None:
    directory = StudiesListed([_study(1)])
    answer = _client(directory).get("/?since=yesterday")
    assert answer.status_code == 400
    assert "year-month-day" in answer.text
    assert directory.queries == []


def test_a_malformed_study_to_open_is_refused() -> None:
    assert _client(StudiesListed([])).get("/?opened=../x").status_code == 400
    assert _client(StudiesListed([])).get("/studies/x/series").status_code == 400


def test_who_may_not_read_sees_nothing() -> None:
    answer = _client(StudiesListed([_study(1)]), principal=Principal("nobody", frozenset())).get("/")
    assert answer.status_code == 403
    assert "Nr1" not in answer.text


def test_who_is_not_known_is_refused() -> None:
    def refuse(headers: Mapping[str, str]) -> Principal:
        raise Unauthenticated()

    console = Console(authenticate=refuse, login_path=None, sections=())
    client = AsgiClient(Starlette(routes=study_routes(console, StudiesListed([]))))
    assert client.get("/").status_code == 401


def test_a_broad_search_is_not_counted_to_its_end() -> None:
    directory = StudiesListed([_study(number) for number in range(1100)])
    page = _client(directory).get("/?patient=nr").text
    assert "More than 1,000 studies found" in page
    assert "1–25</span>" in page
    assert len(directory.queries) == 1
    assert directory.queries[0].limit == 1001


def test_all_studies_are_counted_by_what_is_counted_already() -> None:
    directory = StudiesListed([_study(number) for number in range(1100)])
    assert "1,100 studies" in _client(directory).get("/").text
    assert directory.queries[0].limit == 26


def test_patients_are_listed_without_a_count_and_lead_to_their_studies() -> None:
    row = listed({"PatientName": "Wide^Wanda", "PatientID": 'A"1', "PatientSex": "F", "PatientBirthDate": "19700102"})
    page = _client(StudiesListed([], patients=[row])).get("/patients").text
    for shown in ("Wide, Wanda", "1970-01-02", 'href="/?of=A%221"'):
        assert shown in page


def test_the_studies_of_one_patient_are_those_with_that_very_id() -> None:
    directory = StudiesListed([_study(1)])
    page = _client(directory).get("/?of=P1").text
    assert directory.queries[0].matches == (OneOf(BY_KEYWORD["PatientID"].tag, ("P1",)),)
    assert 'name="of" value="P1"' in page


def test_who_may_only_read_is_offered_no_upload_and_no_delete() -> None:
    page = _client(StudiesListed([_study(1)]), principal=Principal("reader", READER_ACTIONS)).get("/").text
    assert "Download" in page
    assert "/upload" not in page
    assert 'formaction="/delete"' not in page
