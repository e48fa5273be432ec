from __future__ import annotations

import orjson
from pydicom.datadict import keyword_for_tag

from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.workitem_json import RETURNED, encode_found, encode_message, encode_workitem
from isocenter.dicomweb.codec.workitem_query import WorkitemSearch, parse_workitem_search
from isocenter.domain.workitem import Workitem
from tests.support.workitems import attribute, workitem

DOCUMENT = {
    "00080018": attribute("UI", "1.2"),
    "00100020": attribute("LO", "P1"),
    "00104000": attribute("LT", "comment"),
    "00400400": attribute("LT"),
    "00741216": attribute("SQ"),
}


def _kept() -> Workitem:
    return workitem(1, content=orjson.dumps(DOCUMENT))


def _search(query_string: str = "") -> WorkitemSearch:
    return parse_workitem_search(query_string, Dialect.STANDARD, partition_name="north")


def test_every_tag_that_always_comes_names_an_attribute_and_the_lock_is_none_of_them() -> None:
    assert all(keyword_for_tag(tag) for tag in RETURNED)
    assert 0x00081195 not in RETURNED


def test_a_workitem_comes_as_it_is_kept_alone_or_in_an_array() -> None:
    assert orjson.loads(encode_workitem(_kept(), in_array=False)) == DOCUMENT
    assert orjson.loads(encode_workitem(_kept(), in_array=True)) == [DOCUMENT]


def test_a_search_returns_what_always_comes_what_was_matched_on_and_what_was_asked_for() -> None:
    def returned(query_string: str) -> set[str]:
        [found] = orjson.loads(encode_found([_kept()], _search(query_string)).content)
        return set(found)

    always = {"00080018", "00100020"}
    assert returned("") == always
    assert returned("includefield=00104000") == always | {"00104000"}
    assert returned("includefield=00081195") == always
    assert returned("includefield=all") == set(DOCUMENT)


def test_what_cannot_be_read_is_left_out_and_said() -> None:
    found = encode_found([_kept(), workitem(2, content=b"{")], _search())
    assert (found.count, found.is_partial) == (1, True)
    assert len(orjson.loads(found.content)) == 1
    assert not encode_found([_kept()], _search()).is_partial
    assert encode_found([workitem(2, content=b"")], _search("includefield=all")).is_partial


def test_a_message_is_a_json_string() -> None:
    assert encode_message('It is "so".') == b'"It is \\"so\\"."'
