from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import BaseRoute

from isocenter.archive.archive import Archive
from isocenter.domain.audit import AuditRecord
from isocenter.domain.identifiers import Scope
from isocenter.domain.principal import READER_ACTIONS, Principal
from isocenter.web.console.console import Console
from isocenter.web.pages.study_delete import delete_routes
from tests.support.console_studies import ROOT, asked, make_instance, send_form
from tests.support.memory_archive import store

STUDY = ("study", f"{ROOT}.1")


def _routes(console: Console, archive: Archive) -> Sequence[BaseRoute]:
    return delete_routes(console, archive, audit=None)


def test_the_page_says_what_goes_and_that_it_is_for_good() -> None:
    with asked(_routes) as (client, archive):
        store(archive, make_instance())
        page = client.get(f"/delete?study={ROOT}.1").text
        assert "Delete 1 instance" in page
        assert "cannot be undone" in page
        assert "1 min later" in page
        assert archive.index.totals().instances == 1


def test_a_study_goes_once_it_is_confirmed() -> None:
    with asked(_routes) as (client, archive):
        store(archive, make_instance(1))
        store(archive, make_instance(2))
        answer = send_form(client, "/delete", [STUDY])
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/?told=")
        assert archive.index.instances(Scope(f"{ROOT}.1")) == []
        assert len(archive.index.instances(Scope(f"{ROOT}.2"))) == 1


def test_a_series_or_an_instance_goes_alone_and_leads_back_to_its_study() -> None:
    with asked(_routes) as (client, archive):
        for series, number in ((1, 1), (1, 2), (2, 1)):
            store(archive, make_instance(1, series, number))
        instance = [STUDY, ("series", f"{ROOT}.1.1"), ("instance", f"{ROOT}.1.1.2")]
        assert send_form(client, "/delete", instance).headers["location"].startswith(f"/studies/{ROOT}.1?")
        assert len(archive.index.instances(Scope(f"{ROOT}.1"))) == 2
        send_form(client, "/delete", [STUDY, ("series", f"{ROOT}.1.2")])
        answer = send_form(client, "/delete", instance[:2])
        assert answer.headers["location"].startswith("/?told=")
        assert archive.index.totals().instances == 0


def test_what_is_gone_already_is_told() -> None:
    with asked(_routes) as (client, _):
        assert send_form(client, "/delete", [STUDY]).status_code == 404


def test_who_may_only_read_deletes_nothing() -> None:
    with asked(_routes, principal=Principal("reader", READER_ACTIONS)) as (client, archive):
        store(archive, make_instance())
        assert client.get(f"/delete?study={ROOT}.1").status_code == 403
        assert send_form(client, "/delete", [STUDY]).status_code == 403
        assert archive.index.totals().instances == 1


def test_pages_of_other_sites_delete_nothing() -> None:
    with asked(_routes) as (client, archive):
        store(archive, make_instance())
        assert send_form(client, "/delete", [STUDY], Origin="http://evil.example").status_code == 403
        assert archive.index.totals().instances == 1


def test_a_delete_leaves_its_trail() -> None:
    records: list[AuditRecord] = []
    with asked(lambda console, archive: delete_routes(console, archive, audit=records.append)) as (client, archive):
        store(archive, make_instance())
        send_form(client, "/delete", [STUDY])
    assert [(one.operation, one.status, one.resource) for one in records] == [
        ("delete", None, {"study": f"{ROOT}.1"}),
        ("delete", 204, {"study": f"{ROOT}.1"}),
    ]


def test_as_many_studies_go_at_once_as_a_page_of_the_list_can_choose() -> None:
    with asked(_routes) as (client, archive):
        store(archive, make_instance(200))
        studies = [("study", f"{ROOT}.{number}") for number in range(1, 201)]
        assert send_form(client, "/delete", studies).status_code == 303
        assert send_form(client, "/delete", [*studies, ("study", f"{ROOT}.201")]).status_code == 400
        assert archive.index.totals().instances == 0
