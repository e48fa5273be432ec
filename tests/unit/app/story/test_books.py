from __future__ import annotations

import pytest

from isocenter.app.story.books import JULE, Books, Place, given_name, patient_id
from isocenter.modality.story import StudyKind, story_studies


def _books(*played: int) -> Books:
    return Books(story_studies(), set(played))


def _count(books: Books, place: Place) -> int:
    return len(books.expected(place))


@pytest.mark.parametrize(
    ("played", "pacs", "cloud"),
    [
        ((), 0, 0),
        ((1,), 8, 0),
        ((1, 2), 11, 0),
        ((1, 2, 3, 4), 11, 1),
        ((1, 2, 3, 4, 5), 16, 6),
        ((1, 2, 3, 4, 5, 6), 16, 14),
        ((1, 2, 3, 4, 5, 6, 7), 17, 14),
    ],
)
def test_each_step_brings_its_studies_to_their_places(played: tuple[int, ...], pacs: int, cloud: int) -> None:
    books = _books(*played)
    assert (_count(books, Place.PACS), _count(books, Place.CLOUD)) == (pacs, cloud)


def test_jules_studies_are_where_the_walk_through_has_them() -> None:
    books = _books(1, 2, 4, 6)
    prior, recent, new = (books.jules(kind).study_instance_uid for kind in StudyKind)
    assert books.expected(Place.CLOUD, [JULE]) == {prior, recent}
    assert books.expected(Place.PACS, [JULE]) == {recent, new}
    books.played.add(7)
    assert books.expected(Place.PACS, [JULE]) == {prior, recent, new}


def test_what_was_sent_under_trouble_is_in_both_places_and_of_its_patient() -> None:
    books = _books(1)
    books.sent_under_trouble["2.25.7"] = 5
    for place in Place:
        assert "2.25.7" in books.expected(place, [5])
        assert "2.25.7" not in books.expected(place, [4])


def test_studies_of_others_are_not_the_business_of_the_books() -> None:
    books = _books()
    own = books.jules(StudyKind.NEW).study_instance_uid
    assert books.own([own, "1.2.3"]) == {own}


def test_people_are_called_by_the_name_they_were_given() -> None:
    assert given_name(JULE) == "Jule"
    assert patient_id(JULE) == "473c6a11-3ddb-4f72-911a-17e9911dc666"
