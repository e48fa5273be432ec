from __future__ import annotations

from collections.abc import Iterator

import pytest

from isocenter.domain import errors
from isocenter.domain.statuses import statuses_of

HTTP_STATUSES = {
    errors.IsocenterError: 500,
    errors.Refused: 400,
    errors.InvalidRequest: 400,
    errors.InvalidAttributes: 400,
    errors.MissingAttribute: 400,
    errors.MissingAttributeValue: 400,
    errors.InvalidAttributeValue: 400,
    errors.InvalidKey: 400,
    errors.InvalidChanges: 400,
    errors.InvalidSetting: 400,
    errors.InvalidDataset: 409,
    errors.LimitExceeded: 409,
    errors.UnexpectedInstance: 409,
    errors.StudyMismatch: 409,
    errors.NotAcceptable: 406,
    errors.UnsupportedMediaType: 415,
    errors.TooLarge: 413,
    errors.TooSlow: 408,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.WorkitemNotFound: 404,
    errors.WorkitemRefused: 400,
    errors.WorkitemExists: 409,
    errors.WorkitemChanged: 409,
    errors.CancellationRefused: 409,
    errors.AlreadyCanceled: 409,
    errors.Conflict: 409,
    errors.InstanceExists: 409,
    errors.QueryTagExists: 409,
    errors.QueryTagsChanged: 409,
    errors.StepFinished: 409,
    errors.Unavailable: 503,
    errors.StorageFull: 507,
    errors.StorageFailed: 503,
    errors.Overloaded: 503,
    errors.PeerUnreachable: 503,
    errors.Broken: 500,
    errors.CorruptInstance: 500,
}
"""By dicom-service 1.2."""


def _tree(kind: type[errors.IsocenterError]) -> Iterator[type[errors.IsocenterError]]:
    yield kind
    for below in kind.__subclasses__():
        if below.__module__ == errors.__name__:
            yield from _tree(below)


TREE = list(_tree(errors.IsocenterError))


def test_every_error_of_the_tree_is_in_the_table_of_this_test() -> None:
    assert set(TREE) == set(HTTP_STATUSES)


@pytest.mark.parametrize("kind", TREE)
def test_an_error_becomes_the_status_of_its_meaning(kind: type[errors.IsocenterError]) -> None:
    assert statuses_of(kind()).http_status == HTTP_STATUSES[kind]


@pytest.mark.parametrize("kind", TREE)
def test_an_error_is_drawn_in_the_tree_and_has_a_sentence(kind: type[errors.IsocenterError]) -> None:
    assert kind.__name__ in (errors.__doc__ or "")
    assert kind().message


@pytest.mark.parametrize("kind", TREE)
def test_an_error_kept_for_an_answer_is_the_same_without_what_it_passed(kind: type[errors.IsocenterError]) -> None:
    try:
        try:
            raise KeyError
        except KeyError as cause:
            raise kind("a sentence") from cause
    except errors.IsocenterError as error:
        kept = error.without_frames()
    assert (type(kept), kept.message) == (kind, "a sentence")
    assert (kept.__traceback__, kept.__cause__, kept.__context__) == (None, None, None)


def test_a_key_at_fault_is_named_to_a_peer() -> None:
    error = errors.InvalidKey("a sentence", tags=(0x00100020,))
    assert statuses_of(error).dimse_status == 0xA900
    assert error.without_frames().tags == (0x00100020,)
