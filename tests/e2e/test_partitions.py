"""Data partitions of a started node: on by a setting, and not off again while they hold something."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests.support.command_line import CommandLine
from tests.support.dicomweb import JSON, client, delete, get, instance_urls, post_instance
from tests.support.instances import identify
from tests.support.processes import serve
from tests.support.small_instances import make_instance

ON = {"ISOCENTER_AZURE_PARTITIONS": "on"}
IMAGE = make_instance(identify(1))
STUDY = f"studies/{IMAGE.identifier.study_instance_uid}"


def test_partitions_hold_the_same_study_apart_and_stay_over_a_restart(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with serve(data_dir, environment=ON) as node:
        north, south = (f"{node.base_url}/v2/partitions/{name}" for name in ("north", "south"))
        [url] = instance_urls(post_instance(north, IMAGE.content))
        assert url.startswith(f"{north}/studies/")
        assert get(url, "application/dicom; transfer-syntax=*").content == IMAGE.content
        assert post_instance(south, IMAGE.content).is_success
        assert delete(f"{north}/{STUDY}").status_code == httpx.codes.NO_CONTENT
        assert post_instance(f"{node.base_url}/v2", IMAGE.content).text == (
            "PartitionName value is missing in the route segment."
        )
    with serve(data_dir, environment=ON) as node:
        assert [one["partitionName"] for one in get(f"{node.base_url}/v2/partitions").json()] == [
            "Microsoft.Default",
            "north",
            "south",
        ]
        assert get(f"{node.base_url}/v2/partitions/north/studies", JSON).status_code == httpx.codes.NO_CONTENT
        assert len(get(f"{node.base_url}/v2/partitions/south/studies", JSON).json()) == 1
        assert get(f"{node.base_url}/dicom-web/studies", JSON).status_code == httpx.codes.NO_CONTENT
        rows = client().get(f"{node.base_url}/v2/changefeed").json()
        assert [(row["partitionName"], row["action"]) for row in rows] == [
            ("north", "Create"),
            ("south", "Create"),
            ("north", "Delete"),
        ]


def test_a_node_does_not_start_without_the_partitions_that_it_has(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with serve(data_dir) as node:
        assert get(f"{node.base_url}/v2/partitions").text == "Data partitions feature is disabled."
        assert post_instance(f"{node.base_url}/v2", IMAGE.content).is_success
    with serve(data_dir, environment=ON) as node:
        default = f"{node.base_url}/v2/partitions/Microsoft.Default"
        assert len(get(f"{default}/studies", JSON).json()) == 1
        assert post_instance(f"{node.base_url}/v2/partitions/north", IMAGE.content).is_success
    command_line = CommandLine(tmp_path / "state")
    refused = command_line.run("serve", "--data-dir", data_dir, "--http", "127.0.0.1:0", "--auth", "off")
    assert refused.code != 0
    assert "Data partitions cannot be switched off" in refused.out + refused.err


def test_an_export_of_all_studies_keeps_partitions_apart(tmp_path: Path) -> None:
    data_dir, folder = tmp_path / "data", tmp_path / "copy"
    images = {"Microsoft.Default": IMAGE, "north": make_instance(identify(1), seed=7)}
    with serve(data_dir, environment=ON) as node:
        for name, image in images.items():
            assert post_instance(f"{node.base_url}/dicom-web/partitions/{name}", image.content).is_success
    CommandLine(tmp_path / "state").must("export", "--data-dir", data_dir, "--to", folder, "--all")
    identifier = IMAGE.identifier
    file = Path(identifier.study_instance_uid, identifier.series_instance_uid, f"{identifier.sop_instance_uid}.dcm")
    assert (folder / file).read_bytes() == IMAGE.content
    assert (folder / "partition-north" / file).read_bytes() == images["north"].content
