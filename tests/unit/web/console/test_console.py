from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response

from isocenter.domain.errors import NotFound, Unauthenticated
from isocenter.domain.principal import (
    LOCAL_OWNER,
    OWNER_ACTIONS,
    READER_ACTIONS,
    DataAction,
    PartitionGrant,
    Principal,
    SharedStudy,
)
from isocenter.web.console.console import Console, Done, Form, Visit
from isocenter.web.console.notices import NOTICES_MAX, Notice, Notices
from isocenter.web.console.section import STUDIES, SYSTEM, Section, offered_to
from tests.support.asgi_client import AsgiClient

OWN = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}


def _client(principal: Principal | None = LOCAL_OWNER, *, login_path: str | None = None) -> AsgiClient:
    def authenticate(headers: Mapping[str, str]) -> Principal:
        if principal is None:
            raise Unauthenticated()
        return principal

    console = Console(
        authenticate=authenticate, login_path=login_path, sections=(STUDIES,), node_name="North & <South>"
    )

    def show(visit: Visit) -> Response:
        values = {"status": 200, "message": f"Hello {visit.parameter('name')}"}
        return console.page(visit, "error.html", values, section=STUDIES.key)

    async def show_later(visit: Visit) -> Response:
        return PlainTextResponse("later")

    def act(visit: Visit, form: Form) -> Done:
        if not form.one("what"):
            raise NotFound("There is nothing to do.")
        return Done("/", f"Did {form.one('what')}.")

    routes = [
        console.get("/", show, name="show"),
        console.get("/later", show_later, name="later"),
        console.post("/act", act, name="act", action=DataAction.DELETE),
    ]
    return AsgiClient(Starlette(routes=routes))


def test_a_page_shows_the_frame_with_its_node_and_what_came_in_only_as_text() -> None:
    page = _client().get("/?name=<script>").text
    assert "North &amp; &lt;South&gt;" in page
    assert 'aria-current="page"' in page
    assert "Hello &lt;script&gt;" in page


def test_a_page_may_wait_on_the_event_loop() -> None:
    assert _client().get("/later").text == "later"


def test_what_an_action_did_is_told_on_the_page_that_follows() -> None:
    client = _client()
    answer = client.request("POST", "/act", headers=OWN, content=b"what=this")
    assert answer.status_code == 303
    told = answer.headers["location"]
    assert told.startswith("/?told=")
    assert "Did this." in client.get(told).text


def test_nobody_can_put_words_into_a_page_by_its_address() -> None:
    assert "hacked" not in _client().get("/?told=hacked").text


def test_a_form_of_another_site_changes_nothing() -> None:
    foreign = {**OWN, "Sec-Fetch-Site": "cross-site"}
    assert _client().request("POST", "/act", headers=foreign, content=b"what=this").status_code == 403


def test_who_may_not_act_is_refused_and_who_is_not_known_signs_in_first() -> None:
    reader = Principal("reader", READER_ACTIONS)
    assert _client(reader).request("POST", "/act", headers=OWN, content=b"what=this").status_code == 403
    answer = _client(None, login_path="/login").get("/?name=x")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2F%3Fname%3Dx")


def test_a_part_of_a_page_that_lost_its_session_reloads_the_page() -> None:
    answer = _client(None, login_path="/login").get("/", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["hx-refresh"]) == (401, "true")


def test_an_error_becomes_a_page_with_its_status() -> None:
    answer = _client().request("POST", "/act", headers=OWN, content=b"")
    assert answer.status_code == 404
    assert "There is nothing to do." in answer.text


def test_a_redirect_keeps_the_prefix_of_a_proxy() -> None:
    headers = {**OWN, "X-Forwarded-Prefix": "/imaging"}
    answer = _client().request("POST", "/act", headers=headers, content=b"what=this")
    assert answer.headers["location"].startswith("/imaging/?told=")


def test_sections_are_offered_to_those_who_may_see_them() -> None:
    for_owners = Section("x", "X", "/x", "stack", DataAction.EXPORT)
    offered = partial(offered_to, partition_name="north")
    assert offered(Principal("reader", READER_ACTIONS), (STUDIES, for_owners, SYSTEM)) == [STUDIES, SYSTEM]
    assert offered(LOCAL_OWNER, (STUDIES, for_owners)) == [STUDIES, for_owners]
    of_north = Principal("of north", frozenset(), partition_grants=(PartitionGrant("north", OWNER_ACTIONS),))
    assert offered(of_north, (STUDIES, for_owners, SYSTEM)) == [STUDIES]


def test_a_grant_in_the_partition_that_is_shown_opens_its_pages_and_no_other() -> None:
    person = Principal("of north", frozenset(), partition_grants=(PartitionGrant("north", OWNER_ACTIONS),))
    console = Console(authenticate=lambda headers: person, login_path=None, sections=())

    def show(visit: Visit) -> Response:
        return PlainTextResponse("shown")

    client = AsgiClient(
        Starlette(
            routes=[console.get("/node", show, name="node"), console.within("north").get("/", show, name="north")]
        )
    )
    assert client.get("/").text == "shown"
    assert client.get("/node").status_code == 403


def test_who_came_by_a_link_to_one_study_signs_in_for_everything_else() -> None:
    stranger = Principal("link", frozenset(), shared_study=SharedStudy("1.2.3", "north"))
    assert _client(stranger, login_path="/login").get("/").headers["location"] == "/login?next=%2F"


def test_a_fault_of_ours_is_a_page_and_the_next_request_is_served() -> None:
    console = Console(authenticate=lambda headers: LOCAL_OWNER, login_path=None, sections=(STUDIES,))

    def fail(visit: Visit) -> Response:
        raise ZeroDivisionError

    client = AsgiClient(Starlette(routes=[console.get("/", fail, name="fail")]))
    assert client.get("/").status_code == 500
    assert "This did not work" in client.get("/").text


def test_notices_are_forgotten_from_the_oldest_on() -> None:
    notices = Notices()
    first = notices.keep(Notice("first"))
    last = [notices.keep(Notice("another")) for _ in range(NOTICES_MAX)][-1]
    assert notices.find(first) is None
    assert notices.find(last) == Notice("another")
