"""From what an association request shows to a principal: the table of application entities.

A calling AE title is a claim that anybody can make. What stands beside it counts: the address that
the connection comes from, and over TLS the certificate. Each refusal says what an operator changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from isocenter.domain.application_entity import ALL_SERVICES, ANY_HOST, AeService, RemoteAe, UserIdentityRule
from isocenter.domain.certificate_name import CertificateName, usual_address
from isocenter.domain.principal import DataAction, Principal
from isocenter.identity.certificate import Certificate

ACTIONS: Mapping[AeService, frozenset[DataAction]] = {
    AeService.ECHO: frozenset(),
    AeService.STORE: frozenset({DataAction.WRITE}),
    AeService.FIND: frozenset({DataAction.READ}),
    AeService.MOVE: frozenset({DataAction.READ}),
    AeService.GET: frozenset({DataAction.READ}),
    AeService.COMMITMENT: frozenset({DataAction.READ}),
    AeService.WORKLIST: frozenset({DataAction.READ}),
    AeService.PERFORMED_STEP: frozenset({DataAction.READ, DataAction.WRITE}),
}
"""What a service does with the archive's data."""


class Objection(Enum):
    """Why a caller is not admitted (PS3.8 9.3.4)."""

    CALLED_AE_TITLE = "called AE title not recognized"
    CALLING_AE_TITLE = "calling AE title not recognized"
    USER = "user not accepted"
    USER_FOR_NOW = "user not accepted for the time being"


@dataclass(frozen=True, slots=True)
class Caller:
    """What an association request shows of who makes it."""

    calling_ae_title: str
    called_ae_title: str
    address: str
    """The IP address that the connection comes from."""
    certificate: Certificate | None = None
    """None without TLS, and where the caller showed none."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A caller that may open an association, and what it may ask for."""

    principal: Principal
    services: frozenset[AeService]
    remote: RemoteAe | None
    """The row of the table, None for a caller that is in none."""

    def limited_to(self, user: Principal) -> Admitted:
        """Return the same for a user of the caller: what both of them may do."""
        services = frozenset(service for service in self.services if ACTIONS[service] <= user.data_actions)
        actions = frozenset[DataAction]().union(*(ACTIONS[service] for service in services))
        principal = Principal(user.name, actions, user.object_id, user.application_id)
        return Admitted(principal, services, self.remote)


@dataclass(frozen=True, slots=True)
class NotAdmitted:
    """A caller that may not, and what an operator changes if it should."""

    objection: Objection
    advice: str


@dataclass(frozen=True, slots=True)
class AeTable:
    """The application entities that a node knows, and how strict it is with others."""

    ae_title: str
    """Its own."""
    remotes: tuple[RemoteAe, ...] = ()
    accepts_unknown_callers: bool = False
    accepts_any_called_ae_title: bool = False
    checks_addresses: bool = True
    user_identity: UserIdentityRule = UserIdentityRule.IGNORE
    """What becomes of the user that a caller names, where its row says nothing else."""

    def user_rule(self, remote: RemoteAe | None) -> UserIdentityRule:
        """Return what becomes of the user that a caller names, by its row."""
        if remote is None or remote.user_identity is None:
            return self.user_identity
        return remote.user_identity

    def hosts(self, calling_ae_title: str) -> list[str]:
        """Return the hosts whose addresses `admit` wants to know for a title."""
        return [remote.host for remote in self.named(calling_ae_title) if remote.host != ANY_HOST]

    def named(self, ae_title: str) -> list[RemoteAe]:
        """Return the rows of a title, of which there may be several: a title is sometimes shared by devices."""
        return [remote for remote in self.remotes if remote.ae_title == ae_title]

    def destination(self, ae_title: str) -> RemoteAe | None:
        """Return the AE of that title that something can be sent to, or None."""
        return next((remote for remote in self.named(ae_title) if remote.address is not None), None)

    def admit(self, caller: Caller, *, addresses: Mapping[str, frozenset[str]]) -> Admitted | NotAdmitted:
        """Decide about a caller; `addresses` are those of the hosts of its title."""
        if caller.called_ae_title != self.ae_title and not self.accepts_any_called_ae_title:
            return NotAdmitted(
                Objection.CALLED_AE_TITLE,
                f"It calls {caller.called_ae_title!r}; this node is {self.ae_title!r}. Correct the caller, or set "
                "dicom.called_ae_title to any.",
            )
        rows = self.named(caller.calling_ae_title)
        if not rows:
            return self._unknown(caller)
        if self.checks_addresses:
            rows = [row for row in rows if _is_at(caller.address, row, addresses)]
            if not rows:
                return self._elsewhere(caller, addresses)
        for row in rows:
            if fits(caller.certificate, row.certificate_names):
                return Admitted(_principal(caller, row.services), row.services, row)
        return NotAdmitted(
            Objection.CALLING_AE_TITLE,
            f"{caller.calling_ae_title!r} must show a certificate for {_either(rows)}; it showed "
            f"{_shown(caller.certificate)}. Have it call over TLS with that certificate, or change subject= in its row "
            "of dicom.remotes.",
        )

    def _unknown(self, caller: Caller) -> Admitted | NotAdmitted:
        if self.accepts_unknown_callers:
            return Admitted(_principal(caller, ALL_SERVICES), ALL_SERVICES, None)
        return NotAdmitted(
            Objection.CALLING_AE_TITLE,
            f"{caller.calling_ae_title!r} is not in dicom.remotes. Add --remote "
            f"'{caller.calling_ae_title}@{caller.address}:PORT' with the port it listens on, or set "
            "dicom.unknown_callers to accept.",
        )

    def _elsewhere(self, caller: Caller, addresses: Mapping[str, frozenset[str]]) -> NotAdmitted:
        hosts = ", ".join(sorted({host for host in self.hosts(caller.calling_ae_title) if not addresses.get(host)}))
        unresolved = f" No address is known for {hosts}." if hosts else ""
        return NotAdmitted(
            Objection.CALLING_AE_TITLE,
            f"{caller.calling_ae_title!r} calls from {caller.address}, which is not its host in dicom.remotes."
            f"{unresolved} Correct the host (* stands for any), or set dicom.caller_address to ignore.",
        )


def fits(certificate: Certificate | None, names: Sequence[CertificateName]) -> bool:
    """Tell whether a certificate has one of the names that are asked for; without any, none need be shown."""
    return not names or (certificate is not None and any(map(certificate.fits, names)))


def _either(rows: Sequence[RemoteAe]) -> str:
    return " or ".join(repr(str(name)) for row in rows for name in row.certificate_names)


def _principal(caller: Caller, services: Iterable[AeService]) -> Principal:
    return Principal(caller.calling_ae_title, frozenset().union(*(ACTIONS[service] for service in services)))


def _is_at(address: str, row: RemoteAe, addresses: Mapping[str, frozenset[str]]) -> bool:
    return row.host == ANY_HOST or plain_address(address) in addresses.get(row.host, frozenset())


def _shown(certificate: Certificate | None) -> str:
    return "none" if certificate is None else certificate.describe()


def plain_address(address: str) -> str:
    """Return an IP address in its one usual form, without a zone; raises ValueError for other text."""
    usual = usual_address(address.partition("%")[0])
    if usual is None:
        raise ValueError(address)
    return usual


def literal_addresses(host: str) -> frozenset[str] | None:
    """Return the addresses of a host that need no name service: literal ones and loopback; None for other names."""
    if host.lower() == "localhost":
        return frozenset({"127.0.0.1", "::1"})
    try:
        return frozenset({plain_address(host)})
    except ValueError:
        return None
