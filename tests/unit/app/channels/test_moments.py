from __future__ import annotations

from datetime import datetime

import pytest

from isocenter.app.channels.moments import last_moment, next_moment, parse_moments

SATURDAY_NOON = datetime(2026, 11, 21, 12, 0)


@pytest.mark.parametrize(
    ("texts", "last", "following"),
    [
        (["mon-fri 19:00"], datetime(2026, 11, 20, 19), datetime(2026, 11, 23, 19)),
        (["12:00"], SATURDAY_NOON, datetime(2026, 11, 22, 12)),
        (["sat 12:01"], datetime(2026, 11, 14, 12, 1), datetime(2026, 11, 21, 12, 1)),
        (["sun 03:00", "sat 23:00"], datetime(2026, 11, 15, 3), datetime(2026, 11, 21, 23)),
    ],
)
def test_a_time_of_the_week_has_a_last_and_a_next_one(texts: list[str], last: datetime, following: datetime) -> None:
    moments = parse_moments(texts)
    assert (last_moment(moments, SATURDAY_NOON), next_moment(moments, SATURDAY_NOON)) == (last, following)
