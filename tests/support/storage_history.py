"""A process that stores, replaces, deletes and erases, and writes down what it was acknowledged; made to be killed.

Run as a module: `python -m tests.support.storage_history FOLDER SEED`. The history lies outside of what it stores, each
line synced before the next step, so that it never claims less than what was acknowledged.
"""

from __future__ import annotations

import os
import random
import stat
import sys
from pathlib import Path

from isocenter.domain.identifiers import InstanceIdentifier
from isocenter.ports.blobs import BlobAddress
from isocenter.ports.failpoints import failpoints_from_environment
from isocenter.storage.packs import LocalPackBlobStore
from isocenter.storage.sqlite import SqliteInstanceIndex
from tests.support.instances import identify, label_of, new_instance, scope_of

PACK_SIZE_BYTES = 200_000
"""Small, so that packs roll while it runs."""
STEPS = 12
LEFT_OUT_VARIABLE = "STORAGE_HISTORY_LEAVES_OUT"
"""`data`: no sync of packs; `names`: no sync of folders."""


def payload_of(identifier: InstanceIdentifier, version: int) -> bytes:
    """Return the bytes of a version of an instance; anyone can tell what they must be."""
    seed = f"{identifier.sop_instance_uid}/{version}"
    made = random.Random(seed)
    return made.randbytes(made.randrange(1, 90_000))


class Archive:
    """The two stores, used in the order of the acknowledgement rule."""

    def __init__(self, folder: Path) -> None:
        failpoints = failpoints_from_environment(os.environ)
        self.blobs = LocalPackBlobStore(folder / "packs", pack_size_bytes=PACK_SIZE_BYTES, failpoints=failpoints)
        self.index = SqliteInstanceIndex(folder / "index" / "index.sqlite", failpoints=failpoints)
        self._history = os.open(folder / "history.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def store(self, identifiers: list[InstanceIdentifier], version: int) -> None:
        self._say("begin", identifiers, version)
        addresses = self.blobs.append([(label_of(one), payload_of(one, version)) for one in identifiers])
        self._commit(identifiers, addresses)
        self._say("stored", identifiers, version)

    def store_large(self, identifier: InstanceIdentifier, version: int) -> None:
        self._say("begin", [identifier], version)
        payload = payload_of(identifier, version)
        spool = self.blobs.open_spool()
        for at in range(0, len(payload), 30_000):
            spool.write(payload[at : at + 30_000])
        self._commit([identifier], [spool.seal(label_of(identifier))])
        self._say("stored", [identifier], version)

    def _commit(self, identifiers: list[InstanceIdentifier], addresses: list[BlobAddress]) -> None:
        news = [
            new_instance(one, address=address, destinations=("north",))
            for one, address in zip(identifiers, addresses, strict=True)
        ]
        positions = [self.blobs.position(container) for container in {one.container for one in addresses}]
        self.index.commit(news, now=1.0, erase_due_at=2.0, positions=positions)

    def delete(self, identifier: InstanceIdentifier) -> None:
        self._say("begin", [identifier], 0)
        self.index.delete(scope_of(identifier), now=1.0, erase_due_at=2.0)
        self._say("deleted", [identifier], 0)

    def erase_due(self) -> None:
        due = self.index.due_erasures(now=3.0, limit=100)
        for erasure in due:
            self.blobs.erase(erasure.address)
        self.index.forget_erasures([one.erasure_key for one in due])

    def _say(self, event: str, identifiers: list[InstanceIdentifier], version: int) -> None:
        lines = [
            f"{event} {one.study_instance_uid} {one.series_instance_uid} {one.sop_instance_uid} {version}\n"
            for one in identifiers
        ]
        os.write(self._history, "".join(lines).encode())
        os.fsync(self._history)


def main(folder: Path, seed: int) -> None:
    """Store, replace, delete and erase until done or killed."""
    archive = Archive(folder)
    made = random.Random(seed)
    for step in range(STEPS):
        version = seed * 1000 + step
        study = made.randrange(1, 5)
        archive.store([identify(study, 1, number) for number in range(1, made.randrange(2, 6))], version)
        archive.store_large(identify(study, 2, made.randrange(1, 4)), version)
        archive.delete(identify(made.randrange(1, 5), 1, made.randrange(1, 6)))
        archive.erase_due()


def _leave_out(what: str) -> None:
    """Break durability on purpose, so that a test can show that it would notice."""
    fsync = os.fsync

    def sync_files_only(fd: int) -> None:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            fsync(fd)

    if what == "data":
        os.fdatasync = lambda fd: None
    elif what == "names":
        os.fsync = sync_files_only  # type: ignore[assignment]  # descriptors are all that is synced here


if __name__ == "__main__":
    _leave_out(os.environ.get(LEFT_OUT_VARIABLE, ""))
    main(Path(sys.argv[1]), int(sys.argv[2]))
