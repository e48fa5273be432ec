"""Choose the next item of a work list: for this station, this kind of device, this day, or by a number."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from isocenter.app.dimse_peer import DimsePeer
from isocenter.app.worklist import search_peer
from isocenter.domain.errors import NotFound
from isocenter.modality.devices.order import Order, orders_of
from isocenter.modality.devices.profile import DeviceProfile

ITEMS_MAX = 500
"""More than one station has in a day; a list that is longer was asked for without keys."""
FURTHER_RETURNED = ("ReferringPhysicianName",)
"""What an image needs beside the attributes that a list shows."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which item is wanted."""

    accession_number: str = ""
    patient_id: str = ""
    any_station: bool = False
    any_day: bool = False

    @property
    def is_by_number(self) -> bool:
        """Tell whether somebody named the item, so that station and day do not matter."""
        return bool(self.accession_number or self.patient_id)

    def keys(self, profile: DeviceProfile, *, ae_title: str, day: date) -> list[tuple[str, str]]:
        """Return the matching keys of the query (PS3.4 table K.6-1)."""
        keys = [("Modality", profile.modality)]
        if self.accession_number:
            keys.append(("AccessionNumber", self.accession_number))
        if self.patient_id:
            keys.append(("PatientID", self.patient_id))
        if not self.is_by_number and not self.any_station:
            keys.append(("ScheduledStationAETitle", ae_title))
        if not self.is_by_number and not self.any_day:
            keys.append(("ScheduledProcedureStepStartDate", f"{day:%Y%m%d}"))
        return keys


def choose_order(peer: DimsePeer, profile: DeviceProfile, choice: Choice, *, ae_title: str, day: date) -> Order:
    """Return the item of a peer's work list that is to be done next.

    Raises NotFound where there is none, and the errors of asking for it.
    """
    keys = choice.keys(profile, ae_title=ae_title, day=day)
    asked = [*keys, *((name, "") for name in FURTHER_RETURNED)]
    orders = orders_of(search_peer(peer, asked, limit=ITEMS_MAX))
    if not orders:
        raise NotFound(_nothing_there(peer, choice, [name for name, _ in keys]))
    return orders[0]


def _nothing_there(peer: DimsePeer, choice: Choice, names: list[str]) -> str:
    remedy = "look at what it has with `isocenter worklist find`"
    if not choice.is_by_number:
        unset = (("--any-station", choice.any_station), ("--any-day", choice.any_day))
        flags = [flag for flag, is_set in unset if not is_set]
        remedy = f"try {' or '.join(flags)}, or {remedy}" if flags else remedy
    return f"The work list of {peer} has no item that fits {', '.join(names)}; {remedy}."
