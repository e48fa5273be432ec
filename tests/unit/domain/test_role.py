from __future__ import annotations

import pytest

from isocenter.domain.errors import InvalidRequest
from isocenter.domain.principal import DataAction
from isocenter.domain.role import DATA_OWNER, DATA_READER, Role, find_role, parse_role


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("DICOM Data Owner", DATA_OWNER),
        ("dicom data reader", DATA_READER),
        ("58a3b984-7adf-4c20-983a-32417c86fbc8", DATA_OWNER),
        ("E89C7A3C-2F64-4FA1-A847-3E4C9BA4283A", DATA_READER),
        ("globalAdmin", DATA_OWNER),
        ("globalReader", DATA_READER),
        (" owner ", DATA_OWNER),
        ("reader", DATA_READER),
    ],
)
def test_a_role_is_found_by_each_of_its_names(name: str, role: Role) -> None:
    assert find_role(name) is role
    assert parse_role(name) is role


@pytest.mark.parametrize("name", ["", "DICOM", "administrator", "*", "ownerr"])
def test_another_name_is_no_role(name: str) -> None:
    assert find_role(name) is None
    with pytest.raises(InvalidRequest, match="DICOM Data Owner"):
        parse_role(name)


def test_a_slip_is_answered_with_the_nearest_role() -> None:
    with pytest.raises(InvalidRequest, match="Did you mean 'DICOM Data Reader'"):
        parse_role("DICOM Data Raeder")


def test_an_owner_may_do_everything_and_a_reader_may_read() -> None:
    assert DATA_OWNER.data_actions == frozenset(DataAction)
    assert DATA_READER.data_actions == {DataAction.READ}
