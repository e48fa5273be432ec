"""Which presentation contexts to propose for instances that a C-GET is to bring (PS3.4 C.5.3.1, PS3.7 annex D.3.3.4).

The classes of what is fetched are known from a search, or guessed. Each class has contexts of one transfer syntax each,
as many as fit, so that instances come as they are stored; the last takes whatever syntax is left.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from isocenter.dicom.syntax import TRANSFER_SYNTAXES
from isocenter.dimse.scu.client import CONTEXTS_MAX, ProposedContext

CONTEXTS_LEFT = CONTEXTS_MAX - 1
"""One is for the C-GET itself."""
CONTEXTS_PER_CLASS_MIN = 2

LIKELY_SYNTAXES = (
    "1.2.840.10008.1.2.1",  # Explicit VR Little Endian
    "1.2.840.10008.1.2.4.70",  # JPEG Lossless SV1
    "1.2.840.10008.1.2.4.90",  # JPEG 2000 Lossless
    "1.2.840.10008.1.2.4.50",  # JPEG Baseline
    "1.2.840.10008.1.2.5",  # RLE Lossless
    "1.2.840.10008.1.2.4.80",  # JPEG-LS Lossless
    "1.2.840.10008.1.2.4.91",  # JPEG 2000
    "1.2.840.10008.1.2.4.51",  # JPEG Extended
    "1.2.840.10008.1.2.4.81",  # JPEG-LS Near-Lossless
    "1.2.840.10008.1.2.4.57",  # JPEG Lossless
    "1.2.840.10008.1.2.4.201",  # HTJ2K Lossless
    "1.2.840.10008.1.2",  # Implicit VR Little Endian
)
"""Transfer syntaxes that archives hold, the most frequent first."""
SYNTAXES = tuple(dict.fromkeys([*LIKELY_SYNTAXES, *(syntax.uid for syntax in TRANSFER_SYNTAXES)]))

GUESSED_CLASSES = tuple(
    f"1.2.840.10008.5.1.4.1.1.{ending}"
    for ending in (
        *("2", "4", "1", "1.1", "1.2", "1.1.1", "6.1", "3.1", "7", "20", "128", "12.1", "12.2", "2.1", "4.1"),
        *("7.1", "7.2", "7.3", "7.4", "130", "12.1.1", "12.2.1", "13.1.3", "6.2", "4.2", "66.4", "66.5", "66"),
        *("88.11", "88.22", "88.33", "88.34", "88.59", "88.67", "11.1", "11.2", "104.1", "9.1.1", "9.1.2"),
        *("481.1", "481.2", "481.3", "481.5", "481.8", "77.1.1", "77.1.4", "77.1.6", "77.1.5.1", "77.1.5.4"),
        *("77.1.1.1", "67"),
    )
)
"""What hospitals have, for peers that cannot be asked: CT, MR, radiographs, ultrasound, and so on down to raw data."""


def plan_storage(classes: Mapping[str, Iterable[str]]) -> list[dict[str, list[ProposedContext]]]:
    """Return the contexts of each class, in as many associations as they need.

    `classes` has for each SOP class the transfer syntaxes of its instances, none where they are not known.
    """
    plans: list[dict[str, list[ProposedContext]]] = []
    names = list(classes)
    size = CONTEXTS_LEFT // CONTEXTS_PER_CLASS_MIN
    for start in range(0, len(names), size):
        together = names[start : start + size]
        room = CONTEXTS_LEFT // len(together)
        plans.append({uid: _contexts(uid, tuple(classes[uid]), room) for uid in together})
    return plans


def _contexts(sop_class_uid: str, known: Sequence[str], room: int) -> list[ProposedContext]:
    others_wanted = (
        SYNTAXES if room > len(LIKELY_SYNTAXES) else LIKELY_SYNTAXES
    )  # else the request grows beyond what some peers take
    syntaxes = tuple(dict.fromkeys([*known, *others_wanted]))
    alone, others = syntaxes[: room - 1], syntaxes[room - 1 :]
    groups = [*((uid,) for uid in alone), *([others] if others else [])]
    return [ProposedContext(sop_class_uid, group, as_scu=False, as_scp=True) for group in groups]
