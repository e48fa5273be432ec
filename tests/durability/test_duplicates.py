"""The same instance many times over: harmless with the same bytes, decided by the policy with others (R4)."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from isocenter.domain.statuses import INSTANCE_EXISTS
from isocenter.ports.index import ChangeAction
from tests.durability.checks import check_files, check_node, check_reindex
from tests.durability.client import AS_STORED, Client, Stored, path_of
from tests.durability.conftest import FAST_ERASURE
from tests.durability.history import History
from tests.durability.nursery import Archive, Node, Nursery
from tests.support.instances import identify
from tests.support.small_instances import SmallInstance, digest_of, make_instance

SENDERS = 6
ROUNDS = 8
SIZES = [pytest.param(3_000, id="in-memory"), pytest.param(200_000, id="spooled")]
ORIGINAL = {"msdicom-request-original": "true"}


def archive_with(folder: Path, policy: str) -> Archive:
    return Archive(folder / "data", {**FAST_ERASURE, "archive.duplicate_policy": policy})


def actions(archive: Archive, history: History) -> list[ChangeAction]:
    """Return what the feed tells, after holding all files against the history."""
    return [change.action for change in check_files(archive, history)]


@pytest.mark.parametrize("policy", ["refuse", "replace", "keep"])
@pytest.mark.parametrize("size_bytes", SIZES)
def test_the_same_bytes_again_change_nothing(nursery: Nursery, tmp_path: Path, policy: str, size_bytes: int) -> None:
    archive, history = archive_with(tmp_path, policy), History()
    instance = make_instance(identify(), size_bytes=size_bytes)
    with nursery.serving(archive) as node, Client(node.dicomweb_url, history, policy=policy) as client:
        for _ in range(3):
            assert client.store([instance]).status == httpx.codes.OK
        check_node(node.dicomweb_url, history)
        node.stop()
    assert actions(archive, history) == [ChangeAction.CREATE]


@pytest.mark.parametrize("size_bytes", SIZES)
def test_other_bytes_are_refused_by_default_and_the_first_stay(
    nursery: Nursery, tmp_path: Path, size_bytes: int
) -> None:
    archive, history = archive_with(tmp_path, "refuse"), History()
    with nursery.serving(archive) as node, Client(node.dicomweb_url, history, policy="refuse") as client:
        assert client.store([make_instance(identify(), size_bytes=size_bytes)]).status == httpx.codes.OK
        refused = client.store([make_instance(identify(), seed=1, size_bytes=size_bytes)])
        assert (refused.status, refused.reasons) == (httpx.codes.CONFLICT, [INSTANCE_EXISTS])
        check_node(node.dicomweb_url, history)
        node.stop()
    assert actions(archive, history) == [ChangeAction.CREATE]


@pytest.mark.parametrize("size_bytes", SIZES)
def test_other_bytes_replace_the_first_where_the_policy_says_so(
    nursery: Nursery, tmp_path: Path, size_bytes: int
) -> None:
    archive, history = archive_with(tmp_path, "replace"), History()
    with nursery.serving(archive) as node, Client(node.dicomweb_url, history) as client:
        for seed in range(3):
            assert client.store([make_instance(identify(), seed=seed, size_bytes=size_bytes)]).acknowledged
        assert digest_of(original_of(client) or b"") == history.current(identify()), "no earlier version is kept"
        check_node(node.dicomweb_url, history)
        node.stop()
    assert actions(archive, history) == [ChangeAction.CREATE, ChangeAction.UPDATE, ChangeAction.UPDATE]
    check_reindex(nursery, archive, history)


def original_of(client: Client) -> bytes | None:
    """Return what answers where the original version is asked for."""
    answer = client.get(path_of(identify()), AS_STORED, **ORIGINAL)
    return answer.content if answer.status_code == httpx.codes.OK else None


@pytest.mark.parametrize("size_bytes", SIZES)
def test_both_versions_are_kept_where_the_policy_says_so(nursery: Nursery, tmp_path: Path, size_bytes: int) -> None:
    archive, history = archive_with(tmp_path, "keep"), History()
    versions = [make_instance(identify(), seed=seed, size_bytes=size_bytes) for seed in range(3)]
    with nursery.serving(archive) as node, Client(node.dicomweb_url, history, policy="keep") as client:
        for version in versions:
            assert client.store([version]).acknowledged
        client.check(identify())
        assert digest_of(original_of(client) or b"") == versions[0].digest
        check_node(node.dicomweb_url, history)
        node.stop()
    with nursery.serving(archive) as node, Client(node.dicomweb_url, history, policy="keep") as client:
        assert digest_of(original_of(client) or b"") == versions[0].digest
        assert client.delete(identify()) == httpx.codes.NO_CONTENT
        assert original_of(client) is None
        node.stop()
    assert actions(archive, history) == [
        ChangeAction.CREATE,
        ChangeAction.UPDATE,
        ChangeAction.UPDATE,
        ChangeAction.DELETE,
    ]


def race(
    node: Node, history: History, policy: str, instances: list[SmallInstance]
) -> list[tuple[SmallInstance, Stored]]:
    """Let as many senders store one instance each at the same moment; return what became of each."""
    start = threading.Barrier(len(instances))

    def send(instance: SmallInstance) -> tuple[SmallInstance, Stored]:
        with Client(node.dicomweb_url, History(), policy=policy) as client:
            start.wait()
            return instance, client.store([instance])

    for instance in instances:
        history.begin_store(instance)
    with ThreadPoolExecutor(len(instances)) as pool:
        return list(pool.map(send, instances))


@pytest.mark.parametrize("size_bytes", SIZES)
def test_of_many_senders_with_other_bytes_exactly_one_wins(nursery: Nursery, tmp_path: Path, size_bytes: int) -> None:
    archive, history = archive_with(tmp_path, "refuse"), History()
    with nursery.serving(archive) as node:
        for number in range(1, ROUNDS + 1):
            identifier = identify(instance=number)
            versions = [make_instance(identifier, seed=sender, size_bytes=size_bytes) for sender in range(SENDERS)]
            results = race(node, history, "refuse", versions)
            winners = [instance for instance, stored in results if stored.acknowledged]
            assert len(winners) == 1
            assert [stored.reasons for _, stored in results if not stored.acknowledged] == [[INSTANCE_EXISTS]] * (
                SENDERS - 1
            )
            history.acknowledge(identifier, winners[0].digest)
        check_node(node.dicomweb_url, history)
        node.stop()
    assert actions(archive, history) == [ChangeAction.CREATE] * ROUNDS
    check_reindex(nursery, archive, history)


def test_of_many_senders_with_the_same_bytes_all_are_acknowledged_and_one_is_stored(
    nursery: Nursery, tmp_path: Path
) -> None:
    archive, history = archive_with(tmp_path, "refuse"), History()
    instance = make_instance(identify())
    with nursery.serving(archive) as node:
        results = race(node, history, "refuse", [instance] * SENDERS)
        assert all(stored.acknowledged for _, stored in results)
        history.acknowledge(identify(), instance.digest)
        check_node(node.dicomweb_url, history)
        node.stop()
    assert actions(archive, history) == [ChangeAction.CREATE]


@pytest.mark.parametrize("policy", ["replace", "keep"])
def test_of_many_senders_that_replace_the_last_one_stands_and_the_feed_tells_each(
    nursery: Nursery, tmp_path: Path, policy: str
) -> None:
    archive, history = archive_with(tmp_path, policy), History()
    with nursery.serving(archive) as node:
        results = race(node, history, policy, [make_instance(identify(), seed=sender) for sender in range(SENDERS)])
        assert all(stored.acknowledged for _, stored in results)
        check_node(node.dicomweb_url, history)
        node.stop()
    assert actions(archive, history) == [ChangeAction.CREATE] + [ChangeAction.UPDATE] * (SENDERS - 1)
    check_reindex(nursery, archive, history)


def test_two_versions_in_one_request_are_taken_in_their_order(nursery: Nursery, tmp_path: Path) -> None:
    archive, history = archive_with(tmp_path, "replace"), History()
    versions = [make_instance(identify(), seed=seed) for seed in range(4)]
    with nursery.serving(archive) as node, Client(node.dicomweb_url, history) as client:
        for version in versions:
            history.begin_store(version)
        assert client.post(versions).status_code == httpx.codes.OK
        history.acknowledge(identify(), versions[-1].digest)
        check_node(node.dicomweb_url, history)
        node.stop()
    assert actions(archive, history) == [ChangeAction.CREATE] + [ChangeAction.UPDATE] * 3
