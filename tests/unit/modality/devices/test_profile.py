"""The devices have titles, stations and names of their own, and a wrong name is told what there is."""

from __future__ import annotations

import pytest

from isocenter.domain.application_entity import is_ae_title
from isocenter.domain.errors import InvalidRequest
from isocenter.modality.devices.character_sets import CHARACTER_SETS, find_character_set
from isocenter.modality.devices.misbehaviour import SWITCHES, Misbehaviour
from isocenter.modality.devices.profile import PROFILES, find_profile


def test_every_kind_of_device_of_the_walk_through_is_there() -> None:
    assert list(PROFILES) == ["CR", "CT", "MR", "US", "MG", "XA"]


def test_no_two_devices_have_one_title_or_station() -> None:
    titles = {profile.ae_title for profile in PROFILES.values()}
    assert len(titles) == len({profile.station_name for profile in PROFILES.values()}) == len(PROFILES)
    assert all(map(is_ae_title, titles))


def test_a_profile_and_a_character_set_are_known_in_capitals_or_not() -> None:
    assert find_profile("ct") is PROFILES["CT"]
    assert find_character_set("iso_ir 144") is CHARACTER_SETS["ISO_IR 144"]


def test_an_unknown_name_is_told_what_there_is() -> None:
    with pytest.raises(InvalidRequest, match="CR, CT, MR"):
        find_profile("PET")
    with pytest.raises(InvalidRequest, match="mislabelled"):
        find_character_set("ISO_IR 999")


def test_every_switch_is_a_field_and_every_field_has_a_switch() -> None:
    assert [switch.name for switch in SWITCHES] == list(Misbehaviour.__dataclass_fields__)
    assert len({switch.flag for switch in SWITCHES}) == len(SWITCHES)
