"""Application entities: titles, addresses, and what a remote one is known for (PS3.8 9.3.2, PS3.15 B).

A remote AE is written `TITLE@HOST:PORT`, with options behind a question mark where it needs any:
`PACS@10.1.2.3:11112?services=echo,store&subject=pacs.example.org`.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote

from isocenter.domain.certificate_name import CertificateName, parse_certificate_name
from isocenter.domain.errors import InvalidRequest

AE_TITLE_LENGTH_MAX = 16
"""PS3.5 table 6.2-1, AE."""
PORT_MAX = 65535
ANY_HOST = "*"
"""Stands for every address; such an AE may call, and nothing can be sent to it."""
STORE_ASSOCIATIONS_MAX = 4
"""A move opens this many associations to its destination at most (routing-and-gateway 6.8)."""
OPTIONS_LENGTH_MAX = 2048
"""A list of services and the names of some certificates; more is something else given by mistake."""
CERTIFICATE_NAMES_MAX = 16
"""Devices that share a title, or the certificate of today beside that of tomorrow."""

_AE_TITLE = re.compile(r"[\x20-\x5b\x5d-\x7e]{1,16}")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})")


class AeService(StrEnum):
    """What one AE may ask of another."""

    ECHO = "echo"
    STORE = "store"
    FIND = "find"
    MOVE = "move"
    GET = "get"
    COMMITMENT = "commitment"
    WORKLIST = "worklist"
    PERFORMED_STEP = "mpps"


ALL_SERVICES = frozenset(AeService)


class UserIdentityRule(StrEnum):
    """What becomes of the user that a caller names in its request (PS3.7 D.3.3.7)."""

    IGNORE = "ignore"
    """Who calls is decided by title, address and certificate alone."""
    VERIFY = "verify"
    """A user who is named must be known, and limits what the caller may do; none need be named."""
    REQUIRE = "require"
    """A user must be named and prove who it is."""


@dataclass(frozen=True, slots=True)
class AeAddress:
    """An AE title and where its owner listens."""

    ae_title: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.ae_title}@{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class RemoteAe:
    """Another application entity: who it is, where it is, and what it may ask of us."""

    ae_title: str
    host: str
    port: int | None = None
    """None where it only calls and never listens."""
    services: frozenset[AeService] = ALL_SERVICES
    uses_tls: bool = False
    """Associations to it are opened over TLS."""
    certificate_names: tuple[CertificateName, ...] = ()
    """Over TLS, what its certificate must have one of."""
    user_identity: UserIdentityRule | None = None
    """What becomes of the user that it names; None leaves it to the node's setting."""
    destinations: frozenset[str] | None = None
    """The AE titles to which it may have instances moved; None where it may to all that are known."""
    store_associations_max: int | None = None
    """How many associations a move to it may open; None leaves it to the node's setting."""

    def may_move_to(self, ae_title: str) -> bool:
        """Tell whether it may have instances moved to another AE."""
        return self.destinations is None or ae_title in self.destinations

    @property
    def address(self) -> AeAddress | None:
        """Return where it listens, or None where that is not known."""
        if self.port is None or self.host == ANY_HOST:
            return None
        return AeAddress(self.ae_title, self.host, self.port)


def is_ae_title(text: str) -> bool:
    """Tell whether text is an AE title: 1 to 16 characters, no backslash or control, not blank (PS3.5 6.2)."""
    return _AE_TITLE.fullmatch(text) is not None and bool(text.strip(" "))


def parse_ae_title(text: str) -> str:
    """Return an AE title without the blanks around it, which do not count (PS3.8 9.3.2).

    Raises InvalidRequest where it is none.
    """
    if not is_ae_title(text):
        raise InvalidRequest("An AE title has 1 to 16 characters, none of them a backslash.")
    return text.strip(" ")


def parse_ae_address(text: str) -> AeAddress:
    """Return the AE that `TITLE@HOST:PORT` names; an IPv6 address stands in brackets.

    Raises InvalidRequest where it cannot be read.
    """
    title, host, port = _split(text.strip())
    if port is None or host == ANY_HOST:
        raise InvalidRequest(f"An AE is written TITLE@HOST:PORT, not {text!r}.")
    return AeAddress(title, host, port)


def parse_remote_ae(text: str) -> RemoteAe:
    """Return the AE that `TITLE@HOST[:PORT][?OPTIONS]` names.

    Options are `services=echo,store`, `destinations=WS1,WS2`, `tls=on`, `subject=NAME` (once or several times),
    `user=require` and `associations=4`, joined by `&`. Raises InvalidRequest where it cannot be read.
    """
    address, _, options = text.strip().partition("?")
    title, host, port = _split(address)
    known = _options(options)
    if known.get("tls", ["off"]) not in (["on"], ["off"]):
        raise InvalidRequest("The option tls of an AE is on or off.")
    return RemoteAe(
        ae_title=title,
        host=host,
        port=port,
        services=_services(known["services"][0]) if "services" in known else ALL_SERVICES,
        uses_tls=known.get("tls") == ["on"],
        certificate_names=_certificate_names(known.get("subject", [])),
        user_identity=_user_identity(known["user"][0]) if "user" in known else None,
        destinations=_destinations(known["destinations"][0]) if "destinations" in known else None,
        store_associations_max=_associations(known["associations"][0]) if "associations" in known else None,
    )


def render_remote_ae(remote: RemoteAe) -> str:
    """Return the text that `parse_remote_ae` reads."""
    host = f"[{remote.host}]" if ":" in remote.host else remote.host
    text = f"{remote.ae_title}@{host}" + (f":{remote.port}" if remote.port is not None else "")
    options = []
    if remote.services != ALL_SERVICES:
        options.append("services=" + ",".join(service for service in AeService if service in remote.services))
    if remote.destinations is not None:
        options.append("destinations=" + _escaped(",".join(sorted(remote.destinations))))
    if remote.uses_tls:
        options.append("tls=on")
    options += [f"subject={_escaped(str(name))}" for name in remote.certificate_names]
    if remote.user_identity is not None:
        options.append(f"user={remote.user_identity}")
    if remote.store_associations_max is not None:
        options.append(f"associations={remote.store_associations_max}")
    return text + ("?" + "&".join(options) if options else "")


def _split(text: str) -> tuple[str, str, int | None]:
    title, at, rest = text.rpartition("@")
    if not at:
        raise InvalidRequest(f"An AE is written TITLE@HOST:PORT, not {text!r}.")
    if rest.startswith("["):
        host, _, behind = rest[1:].partition("]")
        port_text = behind.removeprefix(":")
        is_sound = behind.startswith(":") or not behind
    else:
        host, colon, port_text = rest.partition(":")
        is_sound = bool(port_text) or not colon
    if not is_sound or not _is_host(host):
        raise InvalidRequest(f"An AE is written TITLE@HOST:PORT, not {text!r}.")
    return parse_ae_title(title), host, _port(port_text) if port_text else None


def _is_host(text: str) -> bool:
    if ":" not in text:
        return text == ANY_HOST or _HOST.fullmatch(text) is not None
    try:
        return ipaddress.ip_address(text).version == 6
    except ValueError:
        return False


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 5 or int(text) > PORT_MAX:
        raise InvalidRequest(f"A port is a number up to {PORT_MAX}.")
    return int(text)


def _escaped(text: str) -> str:
    for character in "%& ;":
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def _options(text: str) -> dict[str, list[str]]:
    if len(text) > OPTIONS_LENGTH_MAX:
        raise InvalidRequest("The options of an AE are too long.")
    found: dict[str, list[str]] = {}
    for part in text.split("&") if text else []:
        name, equals, value = part.partition("=")
        is_again = name in found and name != "subject"
        if name not in _OPTION_NAMES or not equals or not value or is_again:
            raise InvalidRequest(
                "The options of an AE are services, destinations, tls, subject, user and associations, each NAME=VALUE."
            )
        found.setdefault(name, []).append(unquote(value))
    return found


_OPTION_NAMES = frozenset({"services", "destinations", "tls", "subject", "user", "associations"})


def _destinations(text: str) -> frozenset[str]:
    return frozenset(map(parse_ae_title, text.split(",")))


def _certificate_names(texts: list[str]) -> tuple[CertificateName, ...]:
    if len(texts) > CERTIFICATE_NAMES_MAX:
        raise InvalidRequest(f"An AE has at most {CERTIFICATE_NAMES_MAX} options subject.")
    return tuple(map(parse_certificate_name, texts))


def _user_identity(text: str) -> UserIdentityRule:
    try:
        return UserIdentityRule(text.strip().lower())
    except ValueError as error:
        raise InvalidRequest("The option user of an AE is " + ", ".join(UserIdentityRule) + ".") from error


def _services(text: str) -> frozenset[AeService]:
    try:
        return frozenset(AeService(name.strip().lower()) for name in text.split(","))
    except ValueError as error:
        raise InvalidRequest("The services of an AE are " + ", ".join(AeService) + ".") from error


def _associations(text: str) -> int:
    if text not in {str(number) for number in range(1, STORE_ASSOCIATIONS_MAX + 1)}:
        raise InvalidRequest(f"The option associations of an AE is a number from 1 to {STORE_ASSOCIATIONS_MAX}.")
    return int(text)
