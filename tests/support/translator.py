"""A node whose translator stands before a DICOMweb service, for tests that call it by DIMSE."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import Node, free_port, serve

TITLE = "QIETOAZURE"


@dataclass(frozen=True, slots=True)
class TranslatorNode:
    """A running node with a translator."""

    node: Node
    port: int
    title: str = TITLE

    @property
    def address(self) -> str:
        """Return the translator's address as the command line wants it."""
        return f"{self.title}@127.0.0.1:{self.port}"


@contextmanager
def translating(
    folder: Path,
    url: str,
    *,
    remotes: Sequence[str] = (),
    profile: str = "azure",
    destination: str = "",
    translator: str = "",
    environment: Mapping[str, str] | None = None,
    port: int | None = None,
) -> Iterator[TranslatorNode]:
    """Run a node with a translator before the service at an address.

    `destination` and `translator` are further lines of their tables; `remotes` whom the node knows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    configuration = folder / "routing.toml"
    configuration.write_text(
        f'[destinations.cloud]\nkind = "dicomweb"\nurl = "{url}"\nprofile = "{profile}"\n{destination}\n'
        f'[translators.cloud-as-pacs]\nlisten = "{TITLE}@127.0.0.1:{port}"\nupstream = "cloud"\n{translator}\n'
    )
    variables = {"ISOCENTER_ROUTING_CONFIGURATION": str(configuration), **(environment or {})}
    arguments = ["--auth", "off", *(word for remote in remotes for word in ("--remote", remote))]
    with serve(folder / "router", arguments=arguments, environment=variables) as node:
        yield TranslatorNode(node, port)
