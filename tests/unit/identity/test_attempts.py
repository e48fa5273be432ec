from __future__ import annotations

import pytest

from isocenter.identity.attempts import KEPT_MAX, WINDOW_S, Counted, FailureLimiter, TooManyAttempts
from tests.support.identity import Seconds

JANE = [Counted("jane", 3)]


def test_after_too_many_failures_the_next_attempt_has_to_wait() -> None:
    now = Seconds()
    limiter = FailureLimiter(now)
    for _ in range(3):
        limiter.check(JANE)
        limiter.note_failure(JANE)
    with pytest.raises(TooManyAttempts) as refusal:
        limiter.check(JANE)
    assert 0 < refusal.value.retry_after_s <= WINDOW_S + 1
    now.advance(refusal.value.retry_after_s)
    limiter.check(JANE)


def test_one_is_not_held_up_by_the_failures_of_another() -> None:
    limiter = FailureLimiter(Seconds())
    for _ in range(10):
        limiter.note_failure(JANE)
    limiter.check([Counted("joe", 3)])


def test_what_is_counted_by_several_keys_is_refused_by_any_of_them() -> None:
    limiter = FailureLimiter(Seconds())
    for number in range(5):
        limiter.note_failure([Counted(f"name {number}", 3), Counted("address", 5)])
    with pytest.raises(TooManyAttempts):
        limiter.check([Counted("name 99", 3), Counted("address", 5)])


def test_a_flood_of_names_does_not_fill_the_memory() -> None:
    limiter = FailureLimiter(Seconds())
    for number in range(KEPT_MAX + 10):
        limiter.note_failure([Counted(f"name {number}", 3)])
    assert len(limiter._failures) == KEPT_MAX
