"""A link: where a fault plane listens, where that leads, and what is spoken there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from isocenter.domain.errors import InvalidRequest
from isocenter.modality.faults.fault import DimseAbort, DimseReject, DimseStatus, Fault, HttpFault

LOOPBACK = "127.0.0.1"
_ENDPOINT = re.compile(r"(?:(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):)?(\d{1,5})", re.ASCII)
_LINK = re.compile(r"(?:([A-Za-z0-9][A-Za-z0-9._-]{0,63})@)?([^=@/]+)=(?:([a-z]+)://)?([^/]+)/?", re.ASCII)


class LinkProtocol(StrEnum):
    """What a link looks into."""

    TCP = "tcp"
    """Nothing: any protocol passes, encrypted or not."""
    HTTP = "http"
    DIMSE = "dimse"


_SCHEMES = {
    "": LinkProtocol.TCP,
    "tcp": LinkProtocol.TCP,
    "https": LinkProtocol.TCP,
    "http": LinkProtocol.HTTP,
    "dimse": LinkProtocol.DIMSE,
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address of TCP."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class LinkPlan:
    """What a link is to be."""

    name: str
    listen: Endpoint
    target: Endpoint
    protocol: LinkProtocol = LinkProtocol.TCP


def parse_endpoint(text: str) -> Endpoint:
    """Return what `HOST:PORT` says, or `PORT` of loopback; raise InvalidRequest where it says neither."""
    found = _ENDPOINT.fullmatch(text.strip())
    if found is None or int(found[2]) > 65535:
        raise InvalidRequest(f"{text!r} is not HOST:PORT.")
    return Endpoint((found[1] or LOOPBACK).strip("[]"), int(found[2]))


def parse_link(text: str) -> LinkPlan:
    """Return the link that `[NAME@]LISTEN=[PROTOCOL://]TARGET` says; without a name it has that of its port."""
    found = _LINK.fullmatch(text)
    if found is None:
        raise InvalidRequest(
            f"{text!r} is not [NAME@]LISTEN=[PROTOCOL://]TARGET, for example pacs@4243=dimse://127.0.0.1:4242."
        )
    name, listen, scheme, target = found.groups()
    if (scheme or "") not in _SCHEMES:
        known = ", ".join(each for each in _SCHEMES if each)
        raise InvalidRequest(f"There is no protocol {scheme} here; there are {known}.")
    listening = parse_endpoint(listen)
    return LinkPlan(name or str(listening.port), listening, parse_endpoint(target), _SCHEMES[scheme or ""])


def require_fitting(fault: Fault, plan: LinkPlan) -> None:
    """Raise InvalidRequest where a link does not look into what a fault needs."""
    needed = None
    if isinstance(fault, HttpFault):
        needed = LinkProtocol.HTTP
    elif isinstance(fault, DimseReject | DimseAbort | DimseStatus):
        needed = LinkProtocol.DIMSE
    if needed is not None and plan.protocol is not needed:
        raise InvalidRequest(
            f"This fault needs a link of protocol {needed}; the link {plan.name} is of {plan.protocol}."
        )
