"""Join what tells who calls into a node: nobody asked, the embedded provider, or external issuers."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from uuid import uuid4

import structlog
from starlette.datastructures import Headers
from starlette.routing import BaseRoute
from starlette.types import Scope

from isocenter.app.outbound import fetch_json, post_form
from isocenter.app.settings import Settings
from isocenter.dimse.scp.users import Users
from isocenter.domain.errors import InvalidSetting, IsocenterError
from isocenter.domain.principal import Principal
from isocenter.identity.attempts import FailureLimiter
from isocenter.identity.authenticate import LoopbackAuthenticator
from isocenter.identity.external_issuer import ExternalIssuer
from isocenter.identity.gate import Gate, key_id_of
from isocenter.identity.hashing import SecretHasher
from isocenter.identity.host_names import HostNames
from isocenter.identity.issuers import EmbeddedIssuer, OwnNames
from isocenter.identity.key_ring import KeyRing
from isocenter.identity.principals import RoleRules
from isocenter.identity.provider.provider import Provider
from isocenter.identity.registry import Registry
from isocenter.identity.relying_party import RelyingParty
from isocenter.identity.sessions import Sessions, SessionTimes
from isocenter.identity.sharing import Shares
from isocenter.identity.token_verifier import TokenIssuer, TokenVerifier
from isocenter.identity.user_identity import UserVerifier
from isocenter.storage.folders import make_folder
from isocenter.storage.sqlite.identity import SqliteIdentityStore
from isocenter.web.console_page import Templates
from isocenter.web.pages.authorize import authorize_routes
from isocenter.web.pages.sign_in import LOGIN_PATH, SignIn, sign_in_routes
from isocenter.web.provider_routes import provider_routes

_log = structlog.get_logger()

IDENTITY_FILE = "identity.sqlite3"
IDENTITY_THREADS = 4
"""Hashing takes a core; more would only take turns, and memory."""
UPKEEP_INTERVAL_S = 60.0
DISCOVERY_ENDING = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    """How a node learns who calls, and what it offers for that."""

    admit_call: Callable[[Mapping[str, str]], Principal]
    """For data, by request headers."""
    admit_page: Callable[[Mapping[str, str]], Principal]
    """For pages that change nothing."""
    challenge: Callable[[str], str] | None = None
    """What a 401 says, by the address that was used."""
    routes: tuple[BaseRoute, ...] = ()
    login_path: str | None = None
    prepare: KeyFetcher | None = None
    """Fetches keys that a request needs, before it is looked at; None where there are none to fetch."""
    users: Users | None = None
    """Verifies whom associations name; None where nobody is known."""
    shares: Shares | None = None
    """Links by which strangers see one study; None where nobody is asked who they are."""
    registry: Registry | None = None
    """The directory of the embedded provider, for those who administer; None where others keep it."""


def open_registry(store: SqliteIdentityStore) -> Registry:
    """Return the directory of a data folder, for an operator's commands."""
    return Registry(store, SecretHasher(), time.time, _new_id)


def open_key_ring(store: SqliteIdentityStore) -> KeyRing:
    """Return the keys of a data folder, ready to sign."""
    keys = KeyRing(store, time.time)
    keys.refresh()
    return keys


@contextmanager
def open_identity_store(settings: Settings) -> Iterator[SqliteIdentityStore]:
    """Open what the embedded provider keeps in a data folder."""
    make_folder(settings.data_dir)
    with SqliteIdentityStore(settings.data_dir / IDENTITY_FILE) as store:
        yield store


def own_host_names(settings: Settings) -> HostNames:
    """Return the names under which a node answers, and so may be an issuer."""
    listening = {address.host for address in settings.http.addresses}
    return HostNames(frozenset({*settings.http.allowed_hosts, *listening, socket.gethostname()}))


def open_to_anybody(settings: Settings) -> NodeIdentity:
    """Return the identity of a node that asks nobody for evidence."""
    anybody = LoopbackAuthenticator(allowed_hosts=frozenset(settings.http.allowed_hosts))
    return NodeIdentity(anybody, anybody)


@contextmanager
def open_identity(settings: Settings) -> Iterator[NodeIdentity]:
    """Open how a node learns who calls, with its upkeep, for the length of a block; raises InvalidSetting."""
    if not settings.requires_identity and not settings.dicom.verifies_users:
        yield open_to_anybody(settings)
        return
    with (
        open_identity_store(settings) as store,
        ThreadPoolExecutor(IDENTITY_THREADS, "identity") as executor,
    ):
        build = _external if settings.identity.issuers else _embedded
        identity, upkeep = build(settings, store, executor)
        if settings.requires_identity:
            identity = _with_shares(identity, Shares(store, time.time))
        else:
            identity = replace(open_to_anybody(settings), users=identity.users)
        with _Upkeep([*upkeep, lambda: _forget_grants(store)]):
            yield identity


def _with_shares(identity: NodeIdentity, shares: Shares) -> NodeIdentity:
    return replace(
        identity,
        admit_call=shares.or_by_link(identity.admit_call, is_for_data=True),
        admit_page=shares.or_by_link(identity.admit_page, is_for_data=False),
        shares=shares,
    )


def _embedded(
    settings: Settings, store: SqliteIdentityStore, executor: Executor
) -> tuple[NodeIdentity, list[Callable[[], object]]]:
    registry = open_registry(store)
    registry.first_tenant()
    provider = build_provider(settings, store)
    issuer = EmbeddedIssuer(
        provider.keys,
        is_own_base=provider.names.is_own,
        is_tenant=lambda tenant_id: any(one.tenant_id == tenant_id for one in store.tenants()),
    )
    verifier = _token_verifier(settings, [issuer])
    gate, sessions = _gate(settings, store, verifier, executor)
    users = UserVerifier(
        store,
        verifier,
        hasher=provider.hasher,
        failures=provider.failures,
        rules=_rules(settings),
        now=time.time,
    )
    sign_in = SignIn(sessions, gate.forget_cookie, provider, None, Templates())
    routes = (
        *sign_in_routes(sign_in, executor),
        *authorize_routes(provider, sign_in),
        *provider_routes(provider, executor),
    )
    if not store.applications() and not store.users():
        _log.info("identity.empty", next_step="isocenter app register NAME --role owner, isocenter user add NAME")

    def challenge(base: str) -> str:
        return challenge_text(f"{base}/{registry.first_tenant().tenant_id}", provider.audiences[0])

    identity = NodeIdentity(
        gate.admit_call,
        gate.admit_page,
        challenge,
        routes,
        LOGIN_PATH,
        users=Users(users, executor),
        registry=registry,
    )
    return identity, [provider.keys.refresh]


def build_provider(settings: Settings, store: SqliteIdentityStore) -> Provider:
    """Return the embedded provider of a node, ready to sign."""
    hosts = own_host_names(settings)
    return Provider(
        store=store,
        keys=open_key_ring(store),
        hasher=SecretHasher(),
        failures=FailureLimiter(time.time),
        names=OwnNames(public_url=settings.http.public_url, is_own_host=hosts.is_allowed),
        audiences=settings.identity.audiences,
        now=time.time,
        new_id=_new_id,
    )


def _external(
    settings: Settings, store: SqliteIdentityStore, executor: Executor
) -> tuple[NodeIdentity, list[Callable[[], object]]]:
    chosen = settings.identity
    issuers = [ExternalIssuer(url, fetch=fetch_json, monotonic_s=time.monotonic) for url in chosen.issuers]
    verifier = _token_verifier(settings, issuers)
    gate, sessions = _gate(settings, store, verifier, executor)
    users = UserVerifier(
        store,
        verifier,
        hasher=SecretHasher(),
        failures=FailureLimiter(time.time),
        rules=_rules(settings),
        now=time.time,
        issuers=issuers,
    )
    party = None
    if chosen.client_id:
        party = RelyingParty(
            issuers[-1], chosen.client_id, chosen.client_secret, _rules(settings), store, post_form, time.time
        )
    sign_in = SignIn(sessions, gate.forget_cookie, None, party, Templates())
    challenge = challenge_text(chosen.issuers[0].removesuffix(DISCOVERY_ENDING), chosen.audiences[0])
    identity = NodeIdentity(
        gate.admit_call,
        gate.admit_page,
        lambda base: challenge,
        tuple(sign_in_routes(sign_in, executor)),
        LOGIN_PATH,
        KeyFetcher(issuers, executor),
        Users(users, executor),
    )
    return identity, [partial(_refresh_if_stale, issuer) for issuer in issuers]


def _token_verifier(settings: Settings, issuers: Sequence[TokenIssuer]) -> TokenVerifier:
    audiences = settings.identity.audiences
    if not audiences:
        raise InvalidSetting("identity.audiences must name at least one audience.")
    return TokenVerifier(issuers, audiences=audiences, now=time.time)


def _gate(
    settings: Settings, store: SqliteIdentityStore, verifier: TokenVerifier, executor: Executor
) -> tuple[Gate, Sessions]:
    chosen = settings.identity
    times = SessionTimes(chosen.session_idle_timeout_s, chosen.session_timeout_s)
    sessions = Sessions(store, time.time, times)
    gate = Gate(verifier, sessions, store, rules=_rules(settings), now=time.time, later=executor.submit)
    return gate, sessions


def _rules(settings: Settings) -> RoleRules:
    names = {name.casefold(): role for name, role in settings.identity.role_names}
    return RoleRules(settings.identity.role_claim, names)


def challenge_text(authority: str, audience: str) -> str:
    """Return what a 401 says (dicom-service 1.2)."""
    return f'Bearer authorization_uri="{authority}", resource_id="{audience}", realm="{audience}"'


class KeyFetcher:
    """Fetch the keys of external issuers when a token names one that is not known, off the event loop."""

    def __init__(self, issuers: list[ExternalIssuer], executor: Executor) -> None:
        self._issuers = issuers
        self._executor = executor

    async def __call__(self, scope: Scope) -> None:
        """Fetch what the token of a request needs, unless that was tried just now."""
        key_id = key_id_of(Headers(scope=scope))
        if key_id is None or any(issuer.public_key(key_id) is not None for issuer in self._issuers):
            return
        loop = asyncio.get_running_loop()
        for issuer in self._issuers:
            if issuer.lacks(key_id):
                await loop.run_in_executor(self._executor, issuer.refresh)


def _refresh_if_stale(issuer: ExternalIssuer) -> None:
    if issuer.is_stale():
        issuer.refresh()


def _forget_grants(store: SqliteIdentityStore) -> None:
    store.forget_grants(expired_at=time.time())


def _new_id() -> str:
    return str(uuid4())


class _Upkeep:
    """Do what is due once a minute: change keys, fetch those of others, forget what has expired."""

    def __init__(self, tasks: list[Callable[[], object]]) -> None:
        self._tasks = tasks
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="identity-upkeep", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            for task in self._tasks:
                try:
                    task()
                except IsocenterError as error:
                    _log.error("identity.upkeep_failed", reason=error.message)
                except Exception:  # outermost loop of the thread: what is due stays due
                    _log.exception("identity.upkeep_broken")
            if self._stop.wait(UPKEEP_INTERVAL_S):
                return
