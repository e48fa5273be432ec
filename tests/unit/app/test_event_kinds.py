"""Receivers of events as the settings write them."""

from __future__ import annotations

import pytest

from isocenter.app.event_kinds import SUBSCRIBERS, SUBSCRIBERS_MAX, parse_subscription, render_subscription
from isocenter.domain.image_event import EventKind, EventSchema, Subscription

FULL = (
    "ris https://ris.example/hook?code={secret} schema=eventgrid secret=ris types=created,deleted batch=50 "
    "validation=off"
)


def test_a_name_and_an_address_are_enough() -> None:
    assert parse_subscription("ris https://ris.example/hook") == Subscription("ris", "https://ris.example/hook")


def test_every_option_is_read() -> None:
    assert parse_subscription(FULL) == Subscription(
        "ris",
        "https://ris.example/hook?code={secret}",
        schema=EventSchema.EVENT_GRID,
        secret_name="ris",
        kinds=frozenset({EventKind.CREATED, EventKind.DELETED}),
        batch_max=50,
        is_validated=False,
    )


@pytest.mark.parametrize("text", [FULL, "ris http://10.1.2.3:8080/x", "a https://b.example secret=c"])
def test_what_is_written_is_read_again(text: str) -> None:
    assert parse_subscription(render_subscription(parse_subscription(text))) == parse_subscription(text)


def test_several_come_as_text_or_as_a_list() -> None:
    text = "a https://a.example; b https://b.example;"
    assert SUBSCRIBERS.parse(text) == SUBSCRIBERS.parse(["a https://a.example", "b https://b.example"])
    assert SUBSCRIBERS.parse(SUBSCRIBERS.render(SUBSCRIBERS.parse(text))) == SUBSCRIBERS.parse(text)
    assert SUBSCRIBERS.parse("") == ()


@pytest.mark.parametrize(
    "text",
    [
        "ris",
        "https://ris.example",
        "r/is https://ris.example",
        "ris ftp://ris.example",
        "ris file:///etc/passwd",
        "ris https://",
        "ris https://jane:secret@ris.example",
        "ris https://ris.example/#x",
        "ris https://ris.example schema=soap",
        "ris https://ris.example types=created,stolen",
        "ris https://ris.example batch=0",
        "ris https://ris.example batch=1001",
        "ris https://ris.example batch=x",
        "ris https://ris.example validation=maybe",
        "ris https://ris.example colour=red",
        "ris https://ris.example batch=1 batch=2",
        "ris https://ris.example secret=../../etc/passwd",
        "ris https://ris.example secret=",
        "ris https://ris.example?code={secret}",
        "ris https://{secret}.example/ secret=x",
        "ris http://ris.example secret=x",
        "a https://a.example;A https://b.example",
        ";".join(f"s{number} https://a.example" for number in range(SUBSCRIBERS_MAX + 1)),
    ],
)
def test_what_cannot_work_or_gives_a_secret_away_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the kind says what was expected
        SUBSCRIBERS.parse(text)


def test_a_secret_may_cross_this_machine_in_the_clear() -> None:
    assert parse_subscription("ris http://127.0.0.1:9/hook secret=x").secret_name == "x"
