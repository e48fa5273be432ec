"""Instances that come in are looked at for extended query tags, by the rules of the edge that they came by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from structlog.testing import capture_logs

from isocenter.archive.archive import Archive
from isocenter.archive.intake import TAG_CHANGES_MAX
from isocenter.archive.query_tag import QueryTagDesk
from isocenter.archive.recover import new_instance_of
from isocenter.archive.store import Reception, begin_store
from isocenter.archive.validate import SOURCE_V1, SOURCE_V2
from isocenter.domain.errors import InvalidDataset, Overloaded, QueryTagsChanged
from isocenter.domain.identifiers import InstanceIdentifier, Level
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.domain.query import ByQueryTag, Comparison, OneOf, Query
from isocenter.domain.query_tag import QueryTagEntry
from isocenter.ports.blobs import BlobPosition, BlobRecord
from isocenter.ports.index import NewInstance
from isocenter.storage.memory import MemoryBlobStore, MemoryInstanceIndex
from tests.support.instances import identify
from tests.support.memory_archive import memory_archive
from tests.support.query_tags import NUMBER_OF_FILMS, PATIENT_AGE, Values, file_with, query_tag_desk

TIMEOUT_S = 30
AGE = QueryTagEntry(PATIENT_AGE, "AS", Level.INSTANCE)
FILMS = QueryTagEntry(NUMBER_OF_FILMS, "IS", Level.STUDY)


@pytest.fixture
def desk() -> Iterator[QueryTagDesk]:
    with memory_archive() as archive, query_tag_desk(archive, reindexes=False) as desk:
        desk.add(LOCAL_OWNER, [AGE, FILMS])
        yield desk


def receive(archive: Archive, identifier: InstanceIdentifier, values: Values, *, source: str = "test") -> Reception:
    reception = begin_store(archive, LOCAL_OWNER, source=source)
    reception.write(file_with(identifier, values))
    reception.finish().result(TIMEOUT_S)
    return reception


def found(archive: Archive, entry: QueryTagEntry, value: str) -> int:
    key = next(one.query_tag_key for one in archive.index.query_tags.all() if one.entry == entry)
    match = OneOf(entry.tag, (value,), Comparison.CASELESS)
    return archive.index.count(Query(entry.level, (ByQueryTag(key, entry.vr, entry.level, match),)))


@pytest.mark.parametrize("source", ["test", SOURCE_V1, SOURCE_V2])
def test_an_instance_is_indexed_as_it_comes_in_by_tags_that_are_being_added(desk: QueryTagDesk, source: str) -> None:
    for number in range(1, 6):  # the later ones are of a shape that is known
        values: Values = {PATIENT_AGE: ("AS", b"042Y"), NUMBER_OF_FILMS: ("IS", b"03")}
        receive(desk.archive, identify(1, 1, number), values, source=source)
    assert (found(desk.archive, AGE, "042y"), found(desk.archive, FILMS, "0003")) == (5, 1)


def test_version_1_refuses_what_it_cannot_index(desk: QueryTagDesk) -> None:
    with pytest.raises(InvalidDataset) as refusal:
        receive(desk.archive, identify(1), {NUMBER_OF_FILMS: ("IS", b"x ")}, source=SOURCE_V1)
    assert refusal.value.comments == (
        "DICOM100: (2100,0170) - Dicom element 'NumberOfFilms' failed validation for VR 'IS': "
        "Value cannot be parsed as a valid integer string.",
    )
    for values in ({PATIENT_AGE: ("AS", b"042Y\\043Y ")}, {PATIENT_AGE: ("LO", b"042Y")}):
        with pytest.raises(InvalidDataset):
            receive(desk.archive, identify(1), values, source=SOURCE_V1)
    assert desk.archive.index.totals().instances == 0


def test_version_2_keeps_it_and_says_so(desk: QueryTagDesk) -> None:
    reception = receive(desk.archive, identify(1), {NUMBER_OF_FILMS: ("IS", b"x ")}, source=SOURCE_V2)
    assert reception.findings is not None
    assert reception.findings.invalid_paths == ("21000170",)
    [comment] = reception.findings.comments
    assert "(2100,0170)" in comment
    assert found(desk.archive, FILMS, "1") == 0
    assert desk.archive.index.query_tags.all()[1].error_count == 0, "only a reindex has errors"


def test_version_2_says_so_of_another_vr_than_the_tag_has(desk: QueryTagDesk) -> None:
    reception = receive(desk.archive, identify(1), {PATIENT_AGE: ("LO", b"042Y")}, source=SOURCE_V2)
    assert reception.findings is not None
    assert reception.findings.invalid_paths == ("00101010",)
    assert "The extended query tag VR is not expected." in reception.findings.comments[0]


def test_version_2_indexes_the_first_of_several_values_and_warns(desk: QueryTagDesk) -> None:
    reception = receive(desk.archive, identify(1), {NUMBER_OF_FILMS: ("IS", b"7\\8 ")}, source=SOURCE_V2)
    assert reception.findings is not None
    assert (reception.findings.has_several_values, reception.findings.comments) == (True, ())
    assert (found(desk.archive, FILMS, "7"), found(desk.archive, FILMS, "8")) == (1, 0)


def test_other_edges_keep_everything_and_index_what_can_be_indexed(desk: QueryTagDesk) -> None:
    reception = receive(desk.archive, identify(1), {NUMBER_OF_FILMS: ("IS", b"x "), PATIENT_AGE: ("AS", b"042Y")})
    assert reception.findings is None
    assert (found(desk.archive, FILMS, "1"), found(desk.archive, AGE, "042Y")) == (0, 1)


def test_an_instance_that_was_looked_at_before_a_tag_came_is_looked_at_again() -> None:
    with memory_archive() as archive, query_tag_desk(archive, reindexes=False) as desk:
        reception = begin_store(archive, LOCAL_OWNER, source="test")
        reception.write(file_with(identify(1), {PATIENT_AGE: ("AS", b"042Y")}))
        arrival = reception._scan_all()
        assert arrival.query_tags.keys == ()
        desk.add(LOCAL_OWNER, [AGE])
        archive.intake.submit(arrival).result(TIMEOUT_S)
        assert found(archive, AGE, "042Y") == 1


class Restless(MemoryInstanceIndex):
    """An index whose tags change before each commit."""

    def __init__(self) -> None:
        super().__init__()
        self.tries = 0

    def commit(
        self,
        instances: Sequence[NewInstance],
        *,
        now: float,
        erase_due_at: float,
        positions: Sequence[BlobPosition] = (),
    ) -> list[int]:
        self.tries += 1
        raise QueryTagsChanged()


def test_tags_that_never_rest_are_no_reason_to_keep_trying() -> None:
    index, blobs = Restless(), MemoryBlobStore()
    with memory_archive(index=index, blobs=blobs) as archive, capture_logs(), pytest.raises(Overloaded):
        receive(archive, identify(1), {})
    assert index.tries == TAG_CHANGES_MAX
    assert list(blobs.iter_records()) == [], "what was refused does not come back"


def test_what_metadata_leaves_out_is_not_found_after_a_rebuild_either(desk: QueryTagDesk) -> None:
    receive(desk.archive, identify(1), {NUMBER_OF_FILMS: ("IS", b"x "), PATIENT_AGE: ("AS", b"042Y")}, source=SOURCE_V2)
    tags = desk.archive.index.query_tags.active()
    records = [one for one in desk.archive.blobs.iter_records() if isinstance(one, BlobRecord)]
    again = new_instance_of(desk.archive.blobs, records[0], tags)
    assert again.query_tag_keys == tuple(one.query_tag_key for one in tags)
    assert dict(again.query_tag_values) == {tags[0].query_tag_key: "042Y"}
