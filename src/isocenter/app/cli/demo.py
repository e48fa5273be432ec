"""`isocenter demo`: a node with images in it."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from isocenter.app.cli.command import CommandWithExamples
from isocenter.app.cli.output import count_of, show_count, show_progress

if TYPE_CHECKING:
    from isocenter.dicomweb.client.client import DicomwebClient

HOST = "127.0.0.1"


@click.command(cls=CommandWithExamples, examples=("isocenter demo", "isocenter demo --port 9000 --data-dir /tmp/demo"))
@click.option(
    "--port",
    metavar="PORT",
    default=8080,
    show_default=True,
    type=click.IntRange(1, 65535),
    help="Where the web server listens.",
)
@click.option(
    "--data-dir",
    metavar="DIR",
    default="demo-data",
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder that the node keeps everything in.",
)
@click.option("--check", "is_check", is_flag=True, help="Look whether list, metadata and pictures are right, then end.")
def command(port: int, data_dir: Path, is_check: bool) -> int:
    """Run a node with images in it until Ctrl-C.

    The first start generates CT, MR and CR studies and sends them to the node over DICOMweb, with the
    sample studies of the folder ISOCENTER_SHARED_DATA (or ../shared/data beside the project) where that is
    there. The next start finds everything in place.
    """
    from isocenter.app.child_node import free_port, running_node
    from isocenter.app.peer import open_peer
    from isocenter.app.setting_kinds import Address

    signal.signal(signal.SIGTERM, _interrupt)
    chosen = free_port(HOST, port)
    if chosen != port:
        click.echo(f"Port {port} is taken; using {chosen} instead.")
    click.echo("Starting a node …")
    try:
        with running_node(data_dir, Address(HOST, chosen)) as node, open_peer(node.base_url) as client:
            click.echo(f"It is ready at {node.base_url}/ and takes its studies in.")
            refused, studies_min = _fill(client, data_dir)
            if is_check:
                return _check(node.base_url, client, studies_min=studies_min, refused=refused)
            _print_addresses(node.base_url, data_dir, node.log_path)
            node.wait()
    except KeyboardInterrupt:
        click.echo(f"\nThe node has stopped; its data stays in {data_dir}.")
    return 0


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _fill(client: DicomwebClient, data_dir: Path) -> tuple[int, int]:
    """Take in what is missing; return how many instances were refused and how many studies must be there."""
    from isocenter.app import demo

    refused = 0
    studies = demo.number_of_generated_studies()
    samples = demo.find_samples()
    if samples is None:
        click.echo("No sample studies beside the project; the generated ones do.")
    else:
        studies += 1
        done, lock, total = 0, threading.Lock(), demo.size_of_samples(samples)
        with show_progress("Sample studies   ", total=total) as progress:

            def advance(size_bytes: int) -> None:
                nonlocal done
                with lock:
                    done += size_bytes
                    progress.update(min(done, total))

            report = demo.send_samples(client, samples, data_dir=data_dir, on_sent=advance)
        refused += report.failed_count
        click.echo(f"Sample studies: {report.stored:,} instances taken in, {report.acknowledged_before:,} were there.")
    number = demo.number_to_generate(data_dir)
    if number:
        with show_count("Generated studies", total=number) as progress:
            generated_refused = demo.send_generated(client, data_dir=data_dir, on_stored=progress.update)
        refused += generated_refused
        click.echo(f"Generated studies: {count_of(number - generated_refused, 'instance')} taken in.")
    else:
        click.echo("Generated studies: all were there.")
    if refused:
        click.echo(f"{count_of(refused, 'instance')} refused; the node's log says why.", err=True)
    return refused, studies


def _check(base_url: str, client: DicomwebClient, *, studies_min: int, refused: int) -> int:
    from isocenter.app.demo_check import iter_faults

    faults = list(iter_faults(base_url, client, studies_min=studies_min))
    for fault in faults:
        click.echo(f"fault: {fault}", err=True)
    click.echo("Study list, metadata and pictures are right." if not faults else f"{count_of(len(faults), 'fault')}.")
    return 1 if faults or refused else 0


def _print_addresses(base_url: str, data_dir: Path, log_path: Path) -> None:
    from rich.box import ROUNDED
    from rich.console import Console
    from rich.panel import Panel
    from rich.text import Text

    lines = [
        f"Study list   {base_url}/",
        f"Viewer       {base_url}/viewer/",
        f"DICOMweb     {base_url}/dicom-web   (as Azure's service: {base_url}/v2)",
        "",
        f"isocenter find --from {base_url} ModalitiesInStudy=CT",
        f"isocenter store ~/scans --to {base_url}",
        "",
        f"Data         {data_dir}",
        f"Log          {log_path}",
        "",
        "Ctrl-C stops it; the data stays for the next start.",
    ]
    width = max(map(len, lines)) + 4
    console = Console(width=max(width, Console().width) if width > Console().width else None, highlight=False)
    console.print(Panel(Text("\n".join(lines), no_wrap=True), title="isocenter demo", box=ROUNDED, expand=False))
