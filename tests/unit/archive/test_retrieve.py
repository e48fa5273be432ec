from __future__ import annotations

import pytest

from isocenter.archive.bulk_data import open_bulk_data
from isocenter.archive.delete import delete
from isocenter.archive.header import read_scanned_header
from isocenter.archive.metadata import BULK_ROOT_IN_JSON, current_entity_tag, entity_tag, iter_metadata
from isocenter.archive.render import Picture, render_frame, representative
from isocenter.archive.retrieve import find_instance, find_instances, open_frames, read_instance, read_range
from isocenter.archive.transcode import AS_STORED, check_target, iter_transcoded, read_frames
from isocenter.dicom.pixels import PIXEL_TAGS
from isocenter.domain.errors import Forbidden, InvalidRequest, NotAcceptable, NotFound
from isocenter.domain.outcome import DuplicatePolicy
from isocenter.domain.principal import LOCAL_OWNER, Principal
from tests.support.dicom_files import element, file_of
from tests.support.instances import CT_IMAGE_STORAGE, EXPLICIT_VR_LITTLE_ENDIAN, identify, scope_of
from tests.support.memory_archive import memory_archive, store
from tests.support.small_instances import make_instance

HERE = make_instance(identify(1))
SCOPE = scope_of(HERE.identifier)
NOBODY = Principal("nobody", frozenset())
PICTURE = Picture("image/png", 90)


def _without_pixels() -> bytes:
    uids = {0x00080016: CT_IMAGE_STORAGE, 0x00080018: "1.2.3.3", 0x0020000D: "1.2.3.1", 0x0020000E: "1.2.3.2"}
    return file_of(b"".join(element(tag, "UI", uid.encode() + b"\0" * (len(uid) % 2)) for tag, uid in uids.items()))


@pytest.mark.parametrize(("depth", "word"), [(1, "study"), (2, "series"), (3, "instance")])
def test_what_is_not_there_is_named_by_its_level(depth: int, word: str) -> None:
    with memory_archive() as archive, pytest.raises(NotFound, match=f"The specified {word} cannot be found."):
        find_instances(archive, LOCAL_OWNER, scope_of(HERE.identifier, depth=depth))


def test_who_may_not_read_learns_not_even_whether_it_is_there() -> None:
    with memory_archive() as archive:
        with pytest.raises(Forbidden):
            find_instances(archive, NOBODY, SCOPE)
        with pytest.raises(Forbidden):
            list(iter_metadata(archive, NOBODY, [], with_bulk_data_uri=True))


@pytest.mark.parametrize("depth", [1, 2])
def test_the_tag_of_a_study_or_series_is_told_without_its_instances(depth: int) -> None:
    scope = scope_of(HERE.identifier, depth=depth)
    tags = []
    with memory_archive() as archive:

        def look() -> None:
            rows = find_instances(archive, LOCAL_OWNER, scope)
            tags.append(current_entity_tag(archive, LOCAL_OWNER, scope))
            assert tags[-1] == entity_tag(rows, is_single_instance=False)

        for number in (1, 2, 3):
            store(archive, make_instance(identify(1, 1, number)).content)
            look()
        store(archive, make_instance(identify(1, 2, 1)).content)
        look()
        store(archive, make_instance(identify(1, 1, 2), seed=5).content, policy=DuplicatePolicy.REPLACE)
        look()
        for number in (2, 1):
            delete(archive, LOCAL_OWNER, scope_of(identify(1, 1, number)))
            look()
    assert len(set(tags)) == (7 if depth == 1 else 6)  # another series is nothing to this one


@pytest.mark.parametrize(("depth", "word"), [(1, "study"), (2, "series")])
def test_there_is_no_tag_of_what_is_not_there(depth: int, word: str) -> None:
    scope = scope_of(HERE.identifier, depth=depth)
    with memory_archive() as archive:
        with pytest.raises(NotFound, match=f"The specified {word} cannot be found."):
            current_entity_tag(archive, LOCAL_OWNER, scope)
        with pytest.raises(Forbidden):
            current_entity_tag(archive, NOBODY, scope)


def test_only_an_instance_is_one_instance() -> None:
    with memory_archive() as archive:
        store(archive, HERE.content)
        with pytest.raises(InvalidRequest):
            find_instance(archive, LOCAL_OWNER, scope_of(HERE.identifier, depth=2))


def test_the_original_is_the_first_of_all_versions_and_the_stored_one_where_there_is_no_other() -> None:
    with memory_archive() as archive:
        for seed in range(3):
            store(archive, make_instance(identify(1), seed=seed).content, policy=DuplicatePolicy.KEEP)
        store(archive, make_instance(identify(1, 1, 2)).content)
        scope = scope_of(HERE.identifier, depth=1)
        latest = [b"".join(read_instance(archive, row)) for row in find_instances(archive, LOCAL_OWNER, scope)]
        first = [
            b"".join(read_instance(archive, row)) for row in find_instances(archive, LOCAL_OWNER, scope, original=True)
        ]
    other = make_instance(identify(1, 1, 2)).content
    assert sorted(latest) == sorted([make_instance(identify(1), seed=2).content, other])
    assert sorted(first) == sorted([HERE.content, other])


def test_a_reader_in_the_middle_of_a_replaced_instance_reads_it_to_its_end() -> None:
    with memory_archive() as archive:
        store(archive, HERE.content)
        row = find_instance(archive, LOCAL_OWNER, SCOPE)
        begun = read_range(archive, row, start=0, length=100)
        store(archive, make_instance(identify(1), seed=1).content, policy=DuplicatePolicy.REPLACE)
        assert begun + read_range(archive, row, start=100, length=len(HERE.content)) == HERE.content


@pytest.mark.parametrize("number", [0, 2, 10**9])
def test_only_frames_that_are_there_are_opened(number: int) -> None:
    with memory_archive() as archive:
        store(archive, HERE.content)
        row = find_instance(archive, LOCAL_OWNER, SCOPE)
        assert open_frames(archive, row, [1]).read(1) == HERE.frame
        if number:
            with pytest.raises(NotFound):
                open_frames(archive, row, [1, number])
        with pytest.raises(NotFound):
            open_frames(archive, row, []).read(number)


def test_frames_are_looked_for_before_the_first_is_given() -> None:
    with memory_archive() as archive:
        store(archive, HERE.content)
        row = find_instance(archive, LOCAL_OWNER, SCOPE)
        with pytest.raises(NotFound):
            read_frames(archive, row, [1, 2], transfer_syntax_uid=AS_STORED)
        frames = list(read_frames(archive, row, [1, 1], transfer_syntax_uid=AS_STORED))
        assert [(frame.content, frame.transfer_syntax_uid) for frame in frames] == [
            (HERE.frame, EXPLICIT_VR_LITTLE_ENDIAN)
        ] * 2


def test_an_instance_without_pixels_has_no_frames_no_picture_and_metadata_all_the_same() -> None:
    with memory_archive() as archive:
        outcome = store(archive, _without_pixels())
        row = find_instance(archive, LOCAL_OWNER, scope_of(outcome.identifier))
        with pytest.raises(NotFound):
            open_frames(archive, row, [1])
        with pytest.raises(NotFound):
            render_frame(archive, row, 1, PICTURE)
        with pytest.raises(NotFound):
            representative(archive, [row])
        with pytest.raises(NotFound):
            read_scanned_header(archive, row, PIXEL_TAGS)
        [text] = iter_metadata(archive, LOCAL_OWNER, [row], with_bulk_data_uri=True)
        assert b'"1.2.3.3"' in text


def test_bulk_data_is_the_value_that_metadata_refers_to() -> None:
    with memory_archive() as archive:
        store(archive, HERE.content)
        row = find_instance(archive, LOCAL_OWNER, SCOPE)
        [text] = iter_metadata(archive, LOCAL_OWNER, [row], with_bulk_data_uri=True)
        assert BULK_ROOT_IN_JSON in text
        [value] = open_bulk_data(archive, row, "7FE00010")
        assert (b"".join(value.read()), value.length) == (HERE.frame, len(HERE.frame))


@pytest.mark.parametrize(
    ("path", "error"),
    [("", InvalidRequest), ("../7FE00010", InvalidRequest), ("7FE0001", InvalidRequest), ("00091001", NotFound)],
)
def test_a_path_of_bulk_data_that_leads_nowhere_is_refused(path: str, error: type[Exception]) -> None:
    with memory_archive() as archive:
        store(archive, HERE.content)
        with pytest.raises(error):
            open_bulk_data(archive, find_instance(archive, LOCAL_OWNER, SCOPE), path)


def test_metadata_of_a_replaced_instance_is_new_and_has_a_new_tag() -> None:
    with memory_archive() as archive:
        seen = []
        for seed in (0, 1):
            store(archive, make_instance(identify(1), seed=seed).content, policy=DuplicatePolicy.REPLACE)
            rows = find_instances(archive, LOCAL_OWNER, SCOPE)
            for _ in range(2):  # the second time from the cache
                [text] = iter_metadata(archive, LOCAL_OWNER, rows, with_bulk_data_uri=False)
                seen.append((entity_tag(rows, is_single_instance=True), text))
        assert seen[0] == seen[1] != seen[2] == seen[3]
        assert b'"D1"' in seen[2][1]


def test_the_tag_of_a_series_changes_when_one_of_it_goes() -> None:
    scope = scope_of(HERE.identifier, depth=2)
    with memory_archive() as archive:
        for number in (1, 2):
            store(archive, make_instance(identify(1, 1, number)).content)
        before = entity_tag(find_instances(archive, LOCAL_OWNER, scope), is_single_instance=False)
        delete(archive, LOCAL_OWNER, SCOPE)
        after = entity_tag(find_instances(archive, LOCAL_OWNER, scope), is_single_instance=False)
        assert before != after


def test_a_syntax_that_is_not_offered_is_not_acceptable_and_the_stored_one_always_is() -> None:
    with memory_archive() as archive:
        store(archive, HERE.content)
        row = find_instance(archive, LOCAL_OWNER, SCOPE)
        for wanted in (AS_STORED, EXPLICIT_VR_LITTLE_ENDIAN):
            check_target(archive, row, wanted)
        with pytest.raises(NotAcceptable):
            check_target(archive, row, "1.2.3")


def test_a_transcoded_instance_keeps_its_identity_and_pixels() -> None:
    with memory_archive() as archive:
        store(archive, HERE.content)
        row = find_instance(archive, LOCAL_OWNER, SCOPE)
        content = b"".join(iter_transcoded(archive, row, EXPLICIT_VR_LITTLE_ENDIAN))
    assert content.endswith(HERE.frame)
    assert HERE.identifier.sop_instance_uid.encode() in content


def test_a_picture_is_in_the_form_that_is_asked_for() -> None:
    with memory_archive() as archive:
        store(archive, HERE.content)
        row = find_instance(archive, LOCAL_OWNER, SCOPE)
        assert render_frame(archive, row, 1, PICTURE).startswith(b"\x89PNG")
        assert render_frame(archive, row, 1, Picture("image/jpeg", 50)).startswith(b"\xff\xd8")
        with pytest.raises(NotFound):
            render_frame(archive, row, 2, PICTURE)
