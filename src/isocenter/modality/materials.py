"""What tissues look like to each kind of scanner: one table per contrast."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_ROWS = """
    material     ct     t1    t2    flair
    air        -1000    0     0     0
    foam        -960    0     0     0
    carbon      -150    0     0     0
    skin          30    430   330   260
    fat          -95    900   560   480
    muscle        55    330   190   210
    cortical    1250    20    15    15
    inner_table 1350    20    15    15
    marrow       520    430   260   220
    spongy       330    420   250   210
    petrous     1650    15    10    10
    csf            6    110   960   70
    grey          39    430   560   560
    white         28    600   400   400
    cerebellum    37    470   500   500
    nucleus       38    480   470   480
    falx          58    260   120   150
    blood         62    180   130   120
    vessel        48    60    45    60
    sinus         -990  8     8     8
    mucosa        35    380   820   700
    eye           10    120   980   140
    sclera        62    380   200   200
    lens         105    330   160   200
    nerve         35    480   380   380
    calcium      190    60    30    40
    haemorrhage   72    620   260   520
    oedema        20    350   820   900
    plaque        30    390   800   930
    contrast     240    0     0     0
    lung        -862    0     0     0
    lung_vessel   25    0     0     0
    bronchus    -600    0     0     0
    airway      -990    0     0     0
    heart         45    0     0     0
    liver         62    0     0     0
    spleen        52    0     0     0
    stomach       25    0     0     0
    cartilage     95    0     0     0
    disc          80    0     0     0
    nodule        38    0     0     0
    cord          35    0     0     0
    metal        2900   0     0     0
"""


def _contrast(column: str) -> Mapping[str, float]:
    heading, *rows = (line.split() for line in _ROWS.strip().splitlines())
    place = heading.index(column)
    return MappingProxyType({row[0]: float(row[place]) for row in rows})


CT_HU = _contrast("ct")
"""Hounsfield units, about 120 kV; contrast medium is in the portal phase."""
MR_T1 = _contrast("t1")
"""Arbitrary signal units of a T1-weighted spin echo."""
MR_T2 = _contrast("t2")
MR_FLAIR = _contrast("flair")

ATTENUATION_PER_MM = MappingProxyType(
    {name: max(0.0, 0.0206 * (1 + hu / 1000)) * (1.25 if hu > 250 else 1.0) for name, hu in CT_HU.items()}
)
"""Linear attenuation for radiography; bone weighs more at its softer spectrum."""
