"""The user that a request names: who is let in, with which rights, and what a refusal says (PS3.7 D.3.3.7)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from isocenter.dimse.message.messages import CEchoRq
from isocenter.dimse.scp.listener import ListenerLimits
from isocenter.dimse.scp.users import Users, claim_of, objection_to
from isocenter.dimse.shell.record import End
from isocenter.dimse.ul.pdu import (
    REJECT_LOCAL_LIMIT_EXCEEDED,
    REJECT_TEMPORARY_CONGESTION,
    AssociateAc,
    AssociateRj,
    ReleaseRp,
)
from isocenter.dimse.ul.pdu_encoder import encode_pdu
from isocenter.dimse.ul.user_information import UserIdentityAc, UserIdentityRq
from isocenter.domain.application_entity import AeService, UserIdentityRule, parse_remote_ae
from isocenter.domain.directory import Tenant
from isocenter.domain.errors import Unauthenticated
from isocenter.domain.principal import DataAction, Principal
from isocenter.domain.role import DATA_OWNER, DATA_READER
from isocenter.identity.application_entity import Admitted, AeTable
from isocenter.identity.password import FAILURES_OF_NAME_MAX
from isocenter.identity.principals import RoleRules
from isocenter.identity.provider.token_endpoint import mint_for_client
from isocenter.identity.user_identity import NamedUser, UserVerifier, UserWithPasscode, UserWithToken
from isocenter.storage.memory import MemoryIdentityStore
from tests.support.dimse_node import AE_TITLE, DimseNode, NodeOptions, dimse_node, run, until
from tests.support.identity import AUDIENCE, BASE, PASSWORD, IdentityWorld
from tests.support.memory_archive import memory_archive
from tests.support.raw_peer import VERIFICATION, Answer, associate_rq, associated, raw_peer

CT, IMPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2"
REFUSED = AssociateRj(1, 2, 1)
REFUSED_FOR_NOW = AssociateRj(2, 2, 1)
VERIFY, REQUIRE, IGNORE = UserIdentityRule.VERIFY, UserIdentityRule.REQUIRE, UserIdentityRule.IGNORE


def _rq(kind: int, primary: str | bytes = b"", secondary: str = "", *, wants_answer: bool = True) -> UserIdentityRq:
    name = primary.encode() if isinstance(primary, str) else primary
    return UserIdentityRq(kind, wants_answer, name, secondary.encode())


@dataclass
class _World:
    """A directory with a reader, an owner and somebody without a role, and who verifies them."""

    identity: IdentityWorld = field(default_factory=IdentityWorld)

    def __post_init__(self) -> None:
        self.identity.user("reader", role=DATA_READER)
        self.identity.user("owner", role=DATA_OWNER)
        self.identity.user("nobody")
        self.identity.application(role=DATA_READER)

    def token(self) -> str:
        application = self.identity.registry.application("client")
        return mint_for_client(self.identity.provider, application, base=BASE, audience=AUDIENCE)

    def verifier(self) -> UserVerifier:
        world = self.identity
        return UserVerifier(
            world.store,
            world.verifier,
            hasher=world.provider.hasher,
            failures=world.provider.failures,
            rules=RoleRules(),
            now=world.now,
        )


@asynccontextmanager
async def _node(
    world: _World,
    rule: UserIdentityRule = VERIFY,
    *,
    remotes: tuple[str, ...] = (),
    limits: ListenerLimits | None = None,
) -> AsyncIterator[DimseNode]:
    table = AeTable(
        AE_TITLE, tuple(map(parse_remote_ae, remotes)), accepts_unknown_callers=not remotes, user_identity=rule
    )
    with memory_archive() as archive, ThreadPoolExecutor(2, "identity") as executor:
        options = NodeOptions(table, limits=limits or ListenerLimits(), users=Users(world.verifier(), executor))
        async with dimse_node(archive, options) as node:
            yield node


async def _ask(node: DimseNode, user: UserIdentityRq | None) -> Answer:
    async with raw_peer(node.port) as peer:
        return await peer.associate(associate_rq((VERIFICATION, IMPLICIT), (CT, IMPLICIT), user=user))


@pytest.mark.parametrize(
    ("user", "results", "name"),
    [
        (_rq(2, "owner", PASSWORD), [0, 0], "owner"),
        (_rq(2, "READER", PASSWORD), [0, 3], "reader"),
        (_rq(2, "nobody", PASSWORD), [0, 3], "nobody"),
        (_rq(1, "owner"), [0, 0], "owner"),
        (_rq(1, "reader"), [0, 3], "reader"),
        (None, [0, 0], ""),
    ],
    ids=["owner", "reader", "no role", "owner by name", "reader by name", "none named"],
)
def test_a_user_may_use_what_both_it_and_its_ae_may(user: UserIdentityRq | None, results: list[int], name: str) -> None:
    async def work() -> None:
        async with _node(_World()) as node:
            answer = await _ask(node, user)
            assert isinstance(answer, AssociateAc)
            assert [context.result for context in answer.presentation_contexts] == results
            assert answer.user_information.user_identity == (UserIdentityAc() if user else None)
            assert (await node.ended(1)).user_name == name

    run(work())


def test_a_token_opens_an_association_with_its_rights() -> None:
    async def work() -> None:
        world = _World()
        async with _node(world, REQUIRE) as node:
            answer = await _ask(node, _rq(5, world.token() + "\n"))
            assert isinstance(answer, AssociateAc)
            assert [context.result for context in answer.presentation_contexts] == [0, 3]

    run(work())


def test_an_answer_is_given_only_to_who_asks_for_one() -> None:
    async def work() -> None:
        async with _node(_World()) as node:
            answer = await _ask(node, _rq(2, "owner", PASSWORD, wants_answer=False))
            assert isinstance(answer, AssociateAc)
            assert answer.user_information.user_identity is None

    run(work())


@pytest.mark.parametrize(
    ("rule", "user", "advice"),
    [
        (VERIFY, _rq(2, "owner", "wrong"), "isocenter user password"),
        (VERIFY, _rq(2, "stranger", PASSWORD), "isocenter user list"),
        (VERIFY, _rq(1, "stranger"), "isocenter user list"),
        (VERIFY, _rq(3, b"\x01ticket"), "Kerberos tickets (type 3) are not verified"),
        (VERIFY, _rq(4, "<assertion/>"), "SAML assertions (type 4) are not verified"),
        (VERIFY, _rq(5, "a.b.c"), "token"),
        (VERIFY, _rq(9, "x"), "type 9"),
        (VERIFY, _rq(2, b"\xff\xfe", PASSWORD), "UTF-8"),
        (REQUIRE, None, "names no user"),
        (REQUIRE, _rq(1, "owner"), "not proved"),
    ],
    ids=[
        "wrong passcode",
        "unknown with passcode",
        "unknown name",
        "Kerberos",
        "SAML",
        "no token",
        "unknown type",
        "not UTF-8",
        "required and missing",
        "required and bare",
    ],
)
def test_who_is_not_accepted_is_rejected_by_the_provider_and_the_log_says_what_to_change(
    rule: UserIdentityRule, user: UserIdentityRq | None, advice: str
) -> None:
    async def work() -> None:
        with capture_logs() as logs:
            async with _node(_World(), rule) as node:
                assert await _ask(node, user) == REFUSED
                assert (await node.ended(1)).end is End.REJECTED
                answer = await _ask(node, _rq(2, "owner", PASSWORD))
                assert isinstance(answer, AssociateAc)
        [line] = [line for line in logs if line["event"] == "association.rejected"]
        assert advice in line["advice"]
        assert line["reason"] == "user not accepted"
        assert PASSWORD not in str(logs)
        assert "stranger" not in str(logs)

    run(work())


def test_after_too_many_guesses_the_rejection_is_transient() -> None:
    async def work() -> None:
        async with _node(_World()) as node:
            for number in range(FAILURES_OF_NAME_MAX):
                assert await _ask(node, _rq(2, "owner", f"guess {number}")) == REFUSED
            assert await _ask(node, _rq(2, "owner", PASSWORD)) == REFUSED_FOR_NOW
            assert isinstance(await _ask(node, _rq(2, "reader", PASSWORD)), AssociateAc)

    run(work())


def test_where_users_are_ignored_anything_may_be_shown_and_nothing_is_answered() -> None:
    async def work() -> None:
        async with _node(_World(), IGNORE) as node:
            for user in (_rq(2, "stranger", "x"), _rq(3, b"ticket")):
                answer = await _ask(node, user)
                assert isinstance(answer, AssociateAc)
                assert answer.user_information.user_identity is None

    run(work())


def test_the_row_of_an_ae_says_what_becomes_of_its_users() -> None:
    async def work() -> None:
        remotes = ("CALLER@*?user=require", "OTHER@*")
        async with _node(_World(), IGNORE, remotes=remotes) as node:
            assert await _ask(node, None) == REFUSED
            assert isinstance(await _ask(node, _rq(2, "owner", PASSWORD)), AssociateAc)
            async with raw_peer(node.port) as peer:
                assert isinstance(await peer.associate(associate_rq(calling="OTHER")), AssociateAc)

    run(work())


def test_a_name_is_enough_where_a_certificate_vouches_for_the_caller() -> None:
    bare = _rq(1, "owner")
    for text, is_refused in (("CT@*?subject=ct", False), ("CT@*", True)):
        admitted = Admitted(Principal("CT", frozenset()), frozenset(), parse_remote_ae(text))
        assert (objection_to(REQUIRE, admitted, bare) is not None) == is_refused


def test_a_user_is_limited_by_its_ae_as_well() -> None:
    admitted = Admitted(Principal("CT", frozenset()), frozenset({AeService.ECHO, AeService.FIND}), None)
    owner = Principal("owner", DATA_OWNER.data_actions, "object")
    limited = admitted.limited_to(owner)
    assert limited.services == {AeService.ECHO, AeService.FIND}
    assert limited.principal == Principal("owner", frozenset({DataAction.READ}), "object")
    writer = Principal("writer", frozenset({DataAction.WRITE}))
    assert admitted.limited_to(writer).services == {AeService.ECHO}


def test_what_is_shown_is_read_by_its_type() -> None:
    assert claim_of(_rq(1, "jäne")) == NamedUser("jäne")
    assert claim_of(_rq(2, "jäne", " geheim ")) == UserWithPasscode("jäne", " geheim ")
    assert claim_of(_rq(5, " a.b.c\r\n")) == UserWithToken("a.b.c")
    with pytest.raises(Unauthenticated):
        claim_of(_rq(0))


def test_a_caller_that_hangs_up_while_it_is_verified_leaves_nothing_behind() -> None:
    async def work() -> None:
        async with _node(_World()) as node:
            for _ in range(5):
                async with raw_peer(node.port) as peer:
                    await peer.send(encode_pdu(associate_rq(user=_rq(2, "owner", PASSWORD))))
            async with associated(node.port, associate_rq(user=_rq(2, "owner", PASSWORD))) as peer:
                await peer.send_message(1, CEchoRq(message_id=1))
                await peer.message()
                assert isinstance(await peer.release(), ReleaseRp)
            await until(lambda: not node.register.live)

    run(work())


def test_limits_hold_for_those_who_waited_to_be_verified() -> None:
    async def work() -> None:
        request = associate_rq(user=_rq(2, "owner", PASSWORD))
        async with _node(_World(), limits=ListenerLimits(100, 3)) as node, AsyncExitStack() as stack:
            peers = [await stack.enter_async_context(raw_peer(node.port)) for _ in range(8)]
            answers = await asyncio.gather(*(peer.associate(request) for peer in peers))
            accepted = [answer for answer in answers if isinstance(answer, AssociateAc)]
            assert len(accepted) == 3
            assert answers.count(REJECT_LOCAL_LIMIT_EXCEEDED) == 5

    run(work())


def test_a_fault_in_the_directory_rejects_the_caller_for_the_time_being() -> None:
    class BrokenStore(MemoryIdentityStore):
        is_broken = False

        def tenants(self) -> Sequence[Tenant]:
            if self.is_broken:
                raise RuntimeError("broken")
            return super().tenants()

    store = BrokenStore()
    world = _World(IdentityWorld(store=store))
    store.is_broken = True

    async def work() -> None:
        with capture_logs() as logs:
            async with _node(world) as node:
                assert await _ask(node, _rq(2, "owner", PASSWORD)) == REJECT_TEMPORARY_CONGESTION
                assert isinstance(await _ask(node, None), AssociateAc)
        assert [line["event"] for line in logs].count("association.undecided") == 1

    run(work())
