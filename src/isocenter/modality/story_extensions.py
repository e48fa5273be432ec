"""What extended mode adds to the story: studies of all modalities, with the ages that a prefetch window looks for.

The new ones come on the day of the story; most have a prior of the same region within five years, some have one that is
older, and some have priors of other regions only, so that rules of relevance have something to decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from isocenter.modality.head import Finding
from isocenter.modality.plans import (
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

NEW_DAY = "20221122"
"""The day of the story, on which all the new studies are made."""


class StudyKind(StrEnum):
    """Where a study stands in the story."""

    PRIOR = "prior"
    """In the archive that is migrated to the cloud."""
    RECENT = "recent"
    """In the PACS from the beginning."""
    NEW = "new"
    """Made on the day of the story."""


@dataclass(frozen=True, slots=True)
class Extension:
    """A study beyond the radiographs."""

    patient_number: int
    kind: StudyKind
    day: str
    time: str
    file_number: int
    description: str
    series: tuple[SeriesPlan, ...]
    finding: Finding = Finding.NONE
    has_nodule: bool = False


CT_CHEST = (CtSeriesPlan(Region.CHEST, "Chest 4.0 standard", 60, 4.0, -120.0, 390.0, (40, 400), noise_hu=11.0),)
CT_HEAD = (CtSeriesPlan(Region.HEAD, "Head 2.5 standard", 60, 2.5, -72.0, 240.0, (40, 90)),)
MR_BRAIN = (
    MrSeriesPlan(MrWeighting.T2, "T2 axial", 24, 5.0, -50.0),
    MrSeriesPlan(MrWeighting.FLAIR, "FLAIR axial", 24, 5.0, -50.0),
    MrSeriesPlan(MrWeighting.T1, "T1 sagittal", 22, 5.5, -57.75, Orientation.SAGITTAL),
)
ECHO = (UsSeriesPlan("Apical four chamber"),)
CORONARIES = (XaSeriesPlan("LCA RAO 30", has_stenosis=True),)

_PRIOR, _RECENT, _NEW = StudyKind.PRIOR, StudyKind.RECENT, StudyKind.NEW
EXTENSIONS = (
    Extension(1, _RECENT, "20210318", "1110", 1101, "ECHOCARDIOGRAM", ECHO),
    Extension(2, _PRIOR, "20190612", "1325", 1102, "CT CHEST WITH CONTRAST", CT_CHEST),
    Extension(2, _RECENT, "20220905", "0840", 1103, "CORONARY ANGIOGRAPHY", CORONARIES),
    Extension(3, _PRIOR, "20201103", "0915", 1104, "SCREENING MAMMOGRAM", (MgSeriesPlan("Screening", density=0.3),)),
    Extension(4, _PRIOR, "20201014", "1540", 1105, "MR BRAIN, DEMYELINATION", MR_BRAIN, Finding.PLAQUES),
    Extension(4, _NEW, NEW_DAY, "1320", 1106, "MR BRAIN, DEMYELINATION", MR_BRAIN, Finding.PLAQUES),
    Extension(5, _PRIOR, "20200127", "1005", 1107, "CT CHEST WITH CONTRAST", CT_CHEST, has_nodule=True),
    Extension(5, _RECENT, "20211220", "1015", 1108, "CT CHEST WITH CONTRAST", CT_CHEST, has_nodule=True),
    Extension(5, _NEW, NEW_DAY, "1400", 1109, "CT CHEST WITH CONTRAST", CT_CHEST, has_nodule=True),
    Extension(6, _PRIOR, "20180508", "1130", 1110, "ECHOCARDIOGRAM", ECHO),
    Extension(6, _NEW, NEW_DAY, "1445", 1111, "CORONARY ANGIOGRAPHY", CORONARIES),
    Extension(7, _PRIOR, "20201117", "0950", 1112, "SCREENING MAMMOGRAM", (MgSeriesPlan("Screening", density=0.6),)),
    Extension(7, _NEW, NEW_DAY, "1510", 1113, "SCREENING MAMMOGRAM", (MgSeriesPlan("Screening", density=0.55),)),
    Extension(8, _PRIOR, "20140219", "1620", 1114, "CT HEAD WITHOUT CONTRAST", CT_HEAD),
    Extension(8, _NEW, NEW_DAY, "1535", 1115, "CT HEAD WITHOUT CONTRAST", CT_HEAD, Finding.HAEMORRHAGE),
    Extension(8, _NEW, NEW_DAY, "1605", 1116, "ECHOCARDIOGRAM", ECHO),
)
