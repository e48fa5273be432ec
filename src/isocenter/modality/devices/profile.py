"""The kinds of devices: who they are, what they make, how they open associations and how quickly they deliver.

Makers and models are invented, as the patients are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from isocenter.domain.errors import InvalidRequest
from isocenter.modality.chest import Build
from isocenter.modality.devices.pace import Pacing
from isocenter.modality.devices.sending import AssociationPer
from isocenter.modality.head import Finding
from isocenter.modality.plans import (
    CrSeriesPlan,
    CtSeriesPlan,
    MgSeriesPlan,
    MrSeriesPlan,
    MrWeighting,
    Orientation,
    Region,
    SeriesPlan,
    UsSeriesPlan,
    XaSeriesPlan,
)


@dataclass(frozen=True, slots=True)
class DeviceProfile:
    """One kind of device."""

    modality: str
    """By which it is known, too."""
    line: str
    """What it makes, for people."""
    ae_title: str
    model_name: str
    study_description: str
    series: tuple[SeriesPlan, ...]
    association_per: AssociationPer
    pacing: Pacing
    findings: tuple[Finding, ...] = (Finding.NONE,)
    """What there may be to see; the seed decides."""
    build: Build = Build()  # noqa: RUF009 - a frozen value

    @property
    def station_name(self) -> str:
        """Return the name of the station."""
        return f"{self.modality}-ROOM-1"

    @property
    def equipment(self) -> Mapping[str, str]:
        """Return the attributes of the equipment by keyword (PS3.3 C.7.5.1)."""
        return {
            "Manufacturer": "Isocenter Works",
            "ManufacturerModelName": self.model_name,
            "StationName": self.station_name,
            "DeviceSerialNumber": f"{self.modality}0001",
            "SoftwareVersions": "1.0",
        }


_PROFILES = (
    DeviceProfile(
        "CR",
        "one radiograph of a chest, a while after the plate went into the reader",
        "CR01",
        "Plate Reader 1",
        "CHEST PA",
        (CrSeriesPlan("PA"),),
        AssociationPer.IMAGE,
        Pacing(first_s=20.0, image_s=15.0, series_s=15.0),
        build=Build(arms_raised=False),
    ),
    DeviceProfile(
        "CT",
        "a head of 60 slices, as the reconstruction delivers them",
        "CT01",
        "Spiral 60",
        "CT HEAD WITHOUT CONTRAST",
        (CtSeriesPlan(Region.HEAD, "Head 2.5 standard", 60, 2.5, -74.0, 240.0, (40, 90)),),
        AssociationPer.SERIES,
        Pacing(first_s=8.0, image_s=0.1, series_s=20.0),
        findings=(Finding.HAEMORRHAGE, Finding.NONE),
    ),
    DeviceProfile(
        "MR",
        "a brain in three series, each sent when it is through",
        "MR01",
        "Tunnel 1.5",
        "MR BRAIN",
        (
            MrSeriesPlan(MrWeighting.T1, "T1 sagittal", 20, 6.0, -57.0, Orientation.SAGITTAL),
            MrSeriesPlan(MrWeighting.T2, "T2 axial", 24, 5.5, -50.0),
            MrSeriesPlan(MrWeighting.FLAIR, "FLAIR axial", 24, 5.5, -50.0),
        ),
        AssociationPer.STUDY,
        Pacing(first_s=90.0, image_s=0.2, series_s=60.0),
        findings=(Finding.PLAQUES, Finding.NONE),
    ),
    DeviceProfile(
        "US",
        "two cine loops of a heart, each sent as it was acquired, with the name in the picture",
        "US01",
        "Sector 3",
        "ECHOCARDIOGRAM",
        (UsSeriesPlan("Four chamber at rest"), UsSeriesPlan("Four chamber after exercise", heart_rate=112)),
        AssociationPer.IMAGE,
        Pacing(first_s=60.0, image_s=20.0, series_s=45.0),
    ),
    DeviceProfile(
        "MG",
        "the four views of a screening mammogram, exposed one after the other",
        "MG01",
        "Paddle 24",
        "MAMMOGRAPHY SCREENING",
        (MgSeriesPlan("Screening"),),
        AssociationPer.STUDY,
        Pacing(first_s=60.0, image_s=30.0, series_s=30.0),
    ),
    DeviceProfile(
        "XA",
        "two runs of a coronary angiography, each sent when it was made",
        "XA01",
        "Arc 2",
        "CORONARY ANGIOGRAPHY",
        (
            XaSeriesPlan("RAO 30"),
            XaSeriesPlan("LAO 30 cranial 20", primary_angle=30.0, secondary_angle=20.0, has_stenosis=True),
        ),
        AssociationPer.SERIES,
        Pacing(first_s=120.0, image_s=15.0, series_s=90.0),
    ),
)

PROFILES: Mapping[str, DeviceProfile] = MappingProxyType({profile.modality: profile for profile in _PROFILES})


def find_profile(name: str) -> DeviceProfile:
    """Return the profile of a modality, in capitals or not. Raises InvalidRequest."""
    profile = PROFILES.get(name.upper())
    if profile is None:
        raise InvalidRequest(f"There is no such profile; there are {', '.join(PROFILES)}.")
    return profile
