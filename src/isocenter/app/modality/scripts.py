"""Play the scripts of the walk-through: one association for each image, as GDCM, to the address of the story.

    report = run_script(1, StoryAddresses(), StoryMode.FAITHFUL, on_image=lambda image: print(image.outcome))
    assert report.held, report.problems

An image that cannot be sent does not end the script: the next one is tried, as the original's would be.
It runs an event loop of its own, so it is called from a thread that has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isocenter.app.dimse_peer import DimsePeer
from isocenter.app.hospital.reach import read_reach
from isocenter.dimse.scu.client import Opener
from isocenter.dimse.scu.errors import AssociationRefused, PeerBusy
from isocenter.domain.application_entity import RemoteAe
from isocenter.domain.errors import PeerUnreachable
from isocenter.modality.devices.instance import DeviceInstance, read_instance
from isocenter.modality.devices.outcome import Outcome
from isocenter.modality.devices.scripts import SCRIPT_AE_TITLE, StoryAddresses, parse_script, studies_of
from isocenter.modality.devices.sending import DeviceSender
from isocenter.modality.story import Script, StoryMode, StoryStudy, iter_instances

MakeInstances = Callable[[StoryStudy], Iterator[bytes]]
RESPONSE_TIMEOUT_S = 60.0
"""For the answer to one image; a router that acknowledges what is durable takes milliseconds."""


@dataclass(frozen=True, slots=True)
class SentImage:
    """One image of a script, and what became of it."""

    study: StoryStudy
    outcome: Outcome

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "patient_number": self.study.patient_number,
            "kind": self.study.kind.value,
            "study_instance_uid": self.outcome.study_instance_uid,
            **self.outcome.as_json(),
        }


@dataclass(slots=True)
class ScriptReport:
    """What a script did."""

    script: Script
    peer: str
    expected: int
    """How many images it has."""
    images: list[SentImage] = field(default_factory=list)
    was_reached: bool = True
    """False where the peer took no association at all."""

    @property
    def acknowledged(self) -> list[SentImage]:
        """Return the images that the peer said it has."""
        return [image for image in self.images if image.outcome.is_acknowledged]

    @property
    def problems(self) -> list[str]:
        """Return what went wrong, each sentence once."""
        return list(dict.fromkeys(image.outcome.problem for image in self.images if image.outcome.problem))

    @property
    def held(self) -> bool:
        """Tell whether every image of the script was acknowledged."""
        return len(self.acknowledged) == self.expected

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "script": self.script.value,
            "peer": self.peer,
            "expected": self.expected,
            "acknowledged": len(self.acknowledged),
            "held": self.held,
            "problems": self.problems,
            "images": [image.as_json() for image in self.images],
        }


def addresses_in(folder: Path) -> StoryAddresses:
    """Return where the hospital of a folder listens; raises PeerUnreachable where none runs."""
    reach = read_reach(folder)
    return StoryAddresses(reach.pacs.address, reach.router.qierouter, reach.router.qietoazure)


def run_script(
    script: Script | str | int,
    addresses: StoryAddresses,
    mode: StoryMode = StoryMode.FAITHFUL,
    on_image: Callable[[SentImage], None] = lambda image: None,
    *,
    reduction: int = 1,
    make: MakeInstances = iter_instances,
) -> ScriptReport:
    """Play a script and tell what became of each image; `reduction` makes coarser pictures, for tests.

    `make` gives the instances of a study, for who made them before or wants to see them pass.

    Raises InvalidRequest for a script that there is not.
    """
    played = parse_script(str(script))
    address = addresses.of(played)
    studies = [study.reduced(reduction) if reduction > 1 else study for study in studies_of(played, mode)]
    report = ScriptReport(played, str(address), sum(study.plan.number_of_instances for study in studies))
    remote = RemoteAe(address.ae_title, address.host, address.port)
    peer = DimsePeer(remote, SCRIPT_AE_TITLE, timeout_s=RESPONSE_TIMEOUT_S)
    made = ((study, make(study)) for study in studies)
    peer.run(lambda opener: _play(opener, remote, made, report, on_image))
    return report


async def _play(
    opener: Opener,
    remote: RemoteAe,
    made: Iterator[tuple[StoryStudy, Iterator[bytes]]],
    report: ScriptReport,
    on_image: Callable[[SentImage], None],
) -> None:
    unopened = 0
    for study, contents in made:

        def note(outcome: Outcome, study: StoryStudy = study) -> None:
            report.images.append(SentImage(study, outcome))
            on_image(report.images[-1])

        for instance in map(read_instance, contents):
            try:
                await DeviceSender(opener, remote, on_outcome=note).send(iter([instance]))
            except (PeerUnreachable, PeerBusy, AssociationRefused) as error:
                unopened += 1
                note(_unsent(instance, error.message))
    report.was_reached = unopened < report.expected


def _unsent(instance: DeviceInstance, problem: str) -> Outcome:
    return Outcome(
        instance.reference,
        instance.series_instance_uid,
        instance.study_instance_uid,
        instance.size_bytes,
        problem=problem,
    )
