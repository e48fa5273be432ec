"""How the receivers of events become values and back."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from isocenter.app.setting_kinds import Kind
from isocenter.domain.image_event import MARK, EventKind, EventSchema, Subscription

SUBSCRIBERS_MAX = 16
"""Each has a thread."""
BATCH_MAX = 1000
"""About 600 KB; Event Grid sends 1 MB at most."""
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_VALIDATIONS = {"on": True, "off": False}


def parse_subscription(text: str) -> Subscription:
    """Return a receiver from `NAME URL OPTION=VALUE…`; raises ValueError."""
    name, url, *words = text.split()
    options = dict(_option(word) for word in words)
    if not _NAME.fullmatch(name) or len(options) != len(words):
        raise ValueError
    subscription = Subscription(
        name,
        url,
        schema=EventSchema(options.pop("schema", EventSchema.CLOUD_EVENTS.value)),
        secret_name=options.pop("secret", ""),
        kinds=frozenset(EventKind(kind) for kind in options.pop("types", ",".join(EventKind)).split(",")),
        batch_max=int(options.pop("batch", "1")),
        is_validated=_VALIDATIONS[options.pop("validation", "on")],
    )
    _require_sound(subscription)
    if options or not 1 <= subscription.batch_max <= BATCH_MAX:
        raise ValueError
    return subscription


def _option(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals or not value:
        raise ValueError
    return name, value


def _require_sound(subscription: Subscription) -> None:
    """Refuse addresses with secrets written out, and secrets that would cross a network in the clear."""
    url, secret_name = subscription.url, subscription.secret_name
    parts = urlsplit(url)
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.username
        or parts.password
        or parts.fragment
    ):
        raise ValueError
    if MARK in parts.netloc or (MARK in url) > bool(secret_name):
        raise ValueError
    if secret_name and (not _NAME.fullmatch(secret_name) or not (parts.scheme == "https" or _is_here(parts.hostname))):
        raise ValueError


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def render_subscription(subscription: Subscription) -> str:
    """Return a receiver as it is written."""
    options = [f"schema={subscription.schema}"]
    if subscription.secret_name:
        options.append(f"secret={subscription.secret_name}")
    if subscription.kinds != frozenset(EventKind):
        options.append("types=" + ",".join(kind for kind in EventKind if kind in subscription.kinds))
    if subscription.batch_max != 1:
        options.append(f"batch={subscription.batch_max}")
    if not subscription.is_validated:
        options.append("validation=off")
    return " ".join((subscription.name, subscription.url, *options))


def _parse_subscribers(raw: object) -> tuple[Subscription, ...]:
    if isinstance(raw, str):
        items = [item for item in raw.split(";") if item.strip()]
    elif isinstance(raw, list) and all(isinstance(item, str) for item in raw):
        items = raw
    else:
        raise ValueError
    try:
        found = tuple(parse_subscription(item) for item in items)
    except KeyError as error:
        raise ValueError from error
    if len(found) > SUBSCRIBERS_MAX or len({one.name.lower() for one in found}) != len(found):
        raise ValueError
    return found


def _render_subscribers(value: object) -> str:
    assert isinstance(value, tuple)
    return ";".join(map(render_subscription, value))


SUBSCRIBERS = Kind(
    "a list of NAME URL, separated by semicolons, each with options behind it where it needs any: "
    "schema=eventgrid secret=NAME types=created,deleted batch=100 validation=off; a secret needs https",
    _parse_subscribers,
    _render_subscribers,
)
