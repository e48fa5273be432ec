"""Options of `isocenter modality`: what a device makes, what it does wrong, where the walk-through's peers are."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any

import click

from isocenter.modality.devices.character_sets import CHARACTER_SETS
from isocenter.modality.devices.misbehaviour import (
    CONTEXTS_MAX,
    DUPLICATES_MAX,
    FRAMES_MAX,
    SWITCHES,
    Misbehaviour,
    Switch,
)
from isocenter.modality.devices.profile import PROFILES, DeviceProfile

Command = Callable[..., Any]

SEEDED_AT = datetime(2022, 11, 22, 10, 0)
"""When a study begins whose bytes are to be the same each time: on the day of the walk-through."""
SEED_MAX = 10**9
SLICES_MAX = 2000
"""A trauma scan from head to foot."""
COARSENESS_MAX = 32
"""Beyond that a picture has no pixels left to look at."""
LATE_S_MAX = 86_400.0
_TYPES: dict[str, Any] = {
    "duplicates": click.IntRange(1, DUPLICATES_MAX),
    "late_series_s": click.FloatRange(0, LATE_S_MAX),
    "abort_after": click.IntRange(0),
    "character_set": click.Choice(list(CHARACTER_SETS), case_sensitive=False),
    "contexts": click.IntRange(1, CONTEXTS_MAX),
    "huge_multiframe": click.IntRange(1, FRAMES_MAX),
}
OF_PICTURES = (
    "duplicates",
    "wrong_patient",
    "late_series_s",
    "character_set",
    "private_tags",
    "burned_in_text",
    "implicit_vr",
    "huge_multiframe",
)
"""The misbehaviours that can be seen in files."""


@dataclass(frozen=True, slots=True)
class Making:
    """What the options say that a device makes."""

    profile: DeviceProfile
    seed: int
    is_seeded: bool
    """Somebody named the seed, and wants the same bytes again."""
    given_at: datetime | None
    slices: int | None
    coarseness: int

    def begun_at(self, scheduled_at: datetime | None) -> datetime:
        """Return when the study begins: now, unless it is said otherwise or the bytes are to be the same again."""
        if self.given_at is not None:
            return self.given_at
        if self.is_seeded:
            return scheduled_at or SEEDED_AT
        return datetime.now().replace(microsecond=0)


def making_options(command: Command) -> Command:
    """Add what says which study is made; the command gets it as `making`."""

    @wraps(command)
    def wrapped(
        *, profile: str, seed: int | None, begun_at: datetime | None, slices: int | None, coarse: int, **others: Any
    ) -> Any:
        making = Making(
            profile=PROFILES[profile.upper()],
            seed=random.SystemRandom().randrange(SEED_MAX) if seed is None else seed,
            is_seeded=seed is not None,
            given_at=begun_at,
            slices=slices,
            coarseness=coarse,
        )
        return command(making=making, **others)

    decorated: Command = wrapped
    for option in (
        click.option(
            "--coarse",
            metavar="N",
            default=1,
            show_default=True,
            type=click.IntRange(1, COARSENESS_MAX),
            help="Make pictures with N times fewer pixels along each edge, for slow lines and tests.",
        ),
        click.option(
            "--slices",
            metavar="N",
            type=click.IntRange(1, SLICES_MAX),
            help="How many slices a series of CT or MR has (default: as the profile says).",
        ),
        click.option(
            "--at",
            "begun_at",
            metavar="MOMENT",
            type=click.DateTime(["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"]),
            help="When the study begins (default: now; with --seed as it is scheduled, else 22 November 2022, 10:00, "
            "so that the bytes are the same each time).",
        ),
        click.option(
            "--seed",
            metavar="N",
            type=click.IntRange(0, SEED_MAX),
            help="Make the same pictures and UIDs for the same number (default: others each time).",
        ),
        click.option(
            "--profile",
            metavar="NAME",
            required=True,
            type=click.Choice(list(PROFILES), case_sensitive=False),
            help=f"The device: {', '.join(PROFILES)}. `isocenter modality list` tells more.",
        ),
    ):
        decorated = option(decorated)
    return decorated


def misbehaviour_options(*names: str) -> Callable[[Command], Command]:
    """Add switches of misbehaviours, all or those named; the command gets them as `misbehaviour`."""
    switches = [switch for switch in SWITCHES if not names or switch.name in names]

    def decorate(command: Command) -> Command:
        @wraps(command)
        def wrapped(**given: Any) -> Any:
            wrong = {switch.name: given.pop(switch.name) for switch in switches}
            chosen = {name: value for name, value in wrong.items() if value is not None}
            return command(misbehaviour=Misbehaviour(**chosen), **given)

        decorated: Command = wrapped
        for switch in reversed(switches):
            decorated = _option_of(switch)(decorated)
        return decorated

    return decorate


def _option_of(switch: Switch) -> Callable[[Command], Command]:
    help_text = f"Misbehave: {switch.line}"
    if not switch.metavar:
        return click.option(switch.flag, switch.name, is_flag=True, help=help_text)
    return click.option(switch.flag, switch.name, metavar=switch.metavar, type=_TYPES[switch.name], help=help_text)
