from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dicom.json_document import read_document, values_of_document
from isocenter.dicom.json_reader import DEPTH_MAX
from isocenter.domain.errors import InvalidDataset


@pytest.mark.parametrize(
    ("given_attribute", "expected"),
    [
        ({"vr": "LO", "Value": ["a ", None, "b"]}, {"vr": "LO", "Value": ["a", None, "b"]}),
        ({"vr": "LO", "Value": []}, {"vr": "LO"}),
        ({"vr": "LO", "Value": None}, {"vr": "LO"}),
        ({"vr": "LO", "Value": ["", None]}, {"vr": "LO"}),
        ({"vr": "PN", "Value": [None]}, {"vr": "PN"}),
        ({"vr": "PN", "Value": [None, "A^B"]}, {"vr": "PN", "Value": [None, {"Alphabetic": "A^B"}]}),
        ({"vr": "LO"}, {"vr": "LO"}),
        ({"vr": "UI", "Value": ["1.2\0"]}, {"vr": "UI", "Value": ["1.2"]}),
        ({"vr": "IS", "Value": ["03", " 4 ", 5]}, {"vr": "IS", "Value": [3, 4, 5]}),
        ({"vr": "IS", "Value": ["9" * 30]}, {"vr": "IS", "Value": ["9" * 30]}),
        ({"vr": "IS", "Value": ["x"]}, {"vr": "IS", "Value": ["x"]}),
        ({"vr": "DS", "Value": ["1.2345678901234", "7", 1e3]}, {"vr": "DS", "Value": [1.2345678901234, 7, 1000.0]}),
        ({"vr": "DS", "Value": ["nan"]}, {"vr": "DS", "Value": ["nan"]}),
        ({"vr": "US", "Value": [1]}, {"vr": "US", "Value": [1]}),
        ({"vr": "PN", "Value": ["A^B=C"]}, {"vr": "PN", "Value": [{"Alphabetic": "A^B", "Ideographic": "C"}]}),
        ({"vr": "PN", "Value": [{"Alphabetic": ""}, {}]}, {"vr": "PN"}),
        ({"vr": "OB", "InlineBinary": "AAE="}, {"vr": "OB", "InlineBinary": "AAE="}),
        ({"vr": "OB", "InlineBinary": ""}, {"vr": "OB"}),
        ({"vr": "LT", "Value": [" indented "]}, {"vr": "LT", "Value": [" indented"]}),
        ({"vr": "SQ", "Value": [{}, None]}, {"vr": "SQ", "Value": [{}, {}]}),
    ],
)
def test_an_attribute_is_made_uniform(given_attribute: object, expected: object) -> None:
    assert read_document({"00999999": given_attribute}) == {"00999999": expected}


def test_attributes_are_named_by_tag_in_their_order_with_their_vr_at_every_depth() -> None:
    document = read_document(
        {
            "0040e020": {"Value": ["DICOM"]},
            "PatientID": {"vr": "LO", "Value": ["P"]},
            "00404025": {"vr": "SQ", "Value": [{"CodeValue": {"Value": ["A"]}, "00080002": {"vr": "UL"}}]},
            "00020010": {"vr": "UI", "Value": ["1.2"]},
            "00100000": {"vr": "UL", "Value": [2]},
        }
    )
    assert list(document) == ["00100020", "00404025", "0040E020"]
    assert document["0040E020"] == {"vr": "CS", "Value": ["DICOM"]}
    assert document["00404025"]["Value"] == [{"00080002": {"vr": "UL"}, "00080100": {"vr": "SH", "Value": ["A"]}}]


@pytest.mark.parametrize(
    "given_document",
    [
        [],
        "x",
        None,
        {"nonsense": {"vr": "LO"}},
        {"00100020": "P"},
        {"00100020": {"vr": "ZZ"}},
        {"00100020": {"vr": "LO", "Value": "P"}},
        {"00100020": {"vr": "LO", "Value": [{}]}},
        {"00100010": {"vr": "PN", "Value": [{"Other": "x"}]}},
        {"00404025": {"vr": "SQ", "Value": ["x"]}},
        {"00404025": {"vr": "SQ", "Value": [{"00080100": {"vr": "SH", "Value": [[]]}}]}},
        {"00280010": {"vr": "US", "Value": ["x"]}},
        {"00420011": {"vr": "OB", "BulkDataURI": "http://evil"}},
    ],
)
def test_what_is_no_data_set_is_refused(given_document: object) -> None:
    with pytest.raises(InvalidDataset):
        read_document(given_document)


def test_nesting_is_bounded() -> None:
    document: dict[str, object] = {}
    for _ in range(DEPTH_MAX + 1):
        document = {"00404025": {"vr": "SQ", "Value": [document]}}
    with pytest.raises(InvalidDataset):
        read_document(document)


def test_texts_are_read_with_an_entry_for_what_is_empty() -> None:
    document = read_document(
        {
            "00100010": {"vr": "PN", "Value": [{"Alphabetic": "A^B", "Phonetic": "P"}, {"Ideographic": "I"}]},
            "00100020": {"vr": "LO"},
            "00080060": {"vr": "CS", "Value": ["CT", None]},
            "00741004": {"vr": "DS", "Value": ["50"]},
            "00404025": {"vr": "SQ", "Value": [{"00080100": {"vr": "SH", "Value": ["A"]}}, {}]},
            "00404026": {"vr": "SQ"},
            "00420011": {"vr": "OB", "InlineBinary": "AAE="},
        }
    )
    assert values_of_document(document) == {
        "00080060": ["CT", ""],
        "00100010": ["A^B==P", "=I"],
        "00100020": [],
        "00404025": [{"00080100": ["A"]}, {}],
        "00404026": [],
        "00420011": ["AAE="],
        "00741004": ["50"],
    }


_NAMES = st.sampled_from(["00100010", "PatientID", "00741004", "00404025", "0040e020", "00280010", "00020010", "x"])
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
_JSON = st.recursive(
    _SCALARS | st.dictionaries(st.sampled_from(["Alphabetic", "vr"]), st.text(max_size=3), max_size=2),
    lambda inner: st.dictionaries(
        _NAMES,
        st.fixed_dictionaries(
            {}, optional={"vr": st.sampled_from(["SQ", "PN", "LO", "IS", "DS", "US", "UI"]), "Value": st.lists(inner)}
        ),
        max_size=3,
    ),
    max_leaves=20,
)


@given(_JSON)
def test_whatever_comes_is_a_document_or_refused_and_a_document_stays_as_it_is(given_json: object) -> None:
    try:
        document = read_document(given_json)
    except InvalidDataset:
        return
    values_of_document(document)
    again = orjson.loads(orjson.dumps(document))
    assert read_document(again) == again
