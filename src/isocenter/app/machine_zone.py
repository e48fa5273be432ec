"""The time zone of the machine, with its summers, for times that name none."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo


class MachineZone(tzinfo):
    """What clocks on the wall show here."""

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        """Return how far the wall is ahead of UTC at a moment."""
        return None if moment is None else moment.replace(tzinfo=None).astimezone().utcoffset()

    def dst(self, moment: datetime | None) -> timedelta | None:
        """Return nothing: whether it is summer is in the offset."""
        return None

    def tzname(self, moment: datetime | None) -> str | None:
        """Return what the zone is called."""
        return None if moment is None else moment.replace(tzinfo=None).astimezone().tzname()

    def fromutc(self, moment: datetime) -> datetime:
        """Return what the wall shows at a moment in UTC."""
        offset = moment.replace(tzinfo=None).astimezone().utcoffset() or timedelta(0)
        return moment + offset
