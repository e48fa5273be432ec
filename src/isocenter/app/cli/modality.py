"""`isocenter modality`: a simulated modality, and the scripts of the walk-through."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from isocenter.app.cli.command import CommandWithExamples, GroupWithExamples
from isocenter.app.cli.modality_options import OF_PICTURES, Making, making_options, misbehaviour_options
from isocenter.app.cli.modality_scan import scan_command
from isocenter.app.cli.modality_script import script_command
from isocenter.app.cli.options import json_option
from isocenter.app.cli.output import count_of, format_size, print_json, print_table, show_count
from isocenter.modality.devices.misbehaviour import SWITCHES, Misbehaviour
from isocenter.modality.devices.profile import PROFILES, DeviceProfile

if TYPE_CHECKING:
    from isocenter.modality.devices.acquisition import Acquisition


@click.group(
    cls=GroupWithExamples,
    examples=(
        "isocenter modality list",
        "isocenter modality scan --profile CT --to PACS@10.1.2.3:11112",
        "isocenter modality scan --profile MR --to PACS@10.1.2.3:11112 --worklist RIS@10.1.2.4:104 --accession A123",
        "isocenter modality write ~/studies/ct --profile CT --seed 7",
        "isocenter modality script 1 2 --orthanc ORTHANC@127.0.0.1:4242",
    ),
)
def command() -> None:
    """Be a modality: take an item of a work list, make its images, send them, and see that they are kept.

    Patients are invented and pictures are drawn; nothing comes from a person. A seed makes the same study again.
    """


@command.command(name="list", cls=CommandWithExamples, examples=("isocenter modality list --json",))
@json_option
def list_(as_json: bool) -> int:
    """List the devices, what they can do wrong, and the scripts of the walk-through."""
    from isocenter.modality.devices.scripts import SCRIPT_LINES, StoryAddresses

    scripts = [(script.value, str(StoryAddresses().of(script)), line) for script, line in SCRIPT_LINES.items()]
    if as_json:
        print_json(
            {
                "profiles": [_profile_json(profile) for profile in PROFILES.values()],
                "misbehaviours": [
                    {"option": _usage(switch.flag, switch.metavar), "line": switch.line} for switch in SWITCHES
                ],
                "scripts": [{"name": name, "to": address, "line": line} for name, address, line in scripts],
            }
        )
        return 0
    rows = [[one.modality, one.ae_title, one.association_per.value, one.line] for one in PROFILES.values()]
    print_table(["profile", "AE title", "association per", "what it makes"], rows)
    click.echo()
    print_table(["misbehaviour", "what it does"], [[_usage(one.flag, one.metavar), one.line] for one in SWITCHES])
    click.echo()
    print_table(["script", "to", "what it sends"], [list(row) for row in scripts])
    return 0


def _usage(flag: str, metavar: str) -> str:
    return f"{flag} {metavar}".strip()


def _profile_json(profile: DeviceProfile) -> dict[str, object]:
    return {
        "name": profile.modality,
        "ae_title": profile.ae_title,
        "station_name": profile.station_name,
        "equipment": dict(profile.equipment),
        "association_per": profile.association_per.value,
        "pacing_s": {
            "first": profile.pacing.first_s,
            "image": profile.pacing.image_s,
            "series": profile.pacing.series_s,
        },
        "line": profile.line,
    }


@command.command(
    cls=CommandWithExamples,
    examples=(
        "isocenter modality write ~/studies/ct --profile CT --seed 7",
        "isocenter modality write ~/studies/odd --profile CR --character-set mislabelled --private-tags",
    ),
)
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path, file_okay=False))
@making_options
@click.option("--accession", "accession_number", metavar="NUMBER", default="", help="The accession number.")
@click.option("--patient-id", metavar="ID", default="", help="The patient's id.")
@misbehaviour_options(*OF_PICTURES)
@json_option
def write(
    folder: Path, making: Making, accession_number: str, patient_id: str, misbehaviour: Misbehaviour, as_json: bool
) -> int:
    """Write a study into a new or empty folder as DICOM files, without sending it anywhere."""
    from isocenter.app.modality.writing import write_study
    from isocenter.modality.devices.acquisition import Acquisition
    from isocenter.modality.devices.order import unscheduled_order

    order = unscheduled_order(making.seed, accession_number=accession_number, patient_id=patient_id)
    acquisition = Acquisition(
        making.profile,
        order,
        making.seed,
        making.begun_at(None),
        making.profile.ae_title,
        misbehaviour,
        making.slices,
        making.coarseness,
    )
    total = acquisition.number_of_images + acquisition.number_of_late_images
    with show_count("Writing", total=total) as progress:
        written = write_study(folder, acquisition, on_file=progress.update)
    if as_json:
        print_json({**_written_json(acquisition), "files": [str(path) for path, _ in written]})
    else:
        size = format_size(sum(size_bytes for _, size_bytes in written))
        click.echo(f"Wrote {count_of(len(written), 'file')}, {size}, to {folder}. The seed is {making.seed}.")
    return 0


def _written_json(acquisition: Acquisition) -> dict[str, object]:
    return {
        "profile": acquisition.profile.modality,
        "seed": acquisition.seed,
        "study_instance_uid": acquisition.study_instance_uid,
        "accession_number": acquisition.order.accession_number,
    }


command.add_command(scan_command, "scan")
command.add_command(script_command, "script")
