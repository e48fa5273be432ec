"""Join events: the receivers that the settings name, each with a delivery of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from isocenter.app.settings import Settings
from isocenter.app.webhook import Webhook
from isocenter.archive.archive import Archive
from isocenter.archive.event_delivery import DeliveryCounts, EventCounts, EventDelivery
from isocenter.domain.errors import InvalidSetting
from isocenter.domain.image_event import EventOrigin

SECRET_SIZE_MAX_BYTES = 4096
"""Longer than any token that fits into a header."""


@contextmanager
def running_events(archive: Archive, settings: Settings) -> Iterator[EventCounts]:
    """Tell receivers of events for the length of a block. Raises InvalidSetting where a secret is not there."""
    counts = EventCounts()
    chosen = settings.events
    secrets = SecretFolder(chosen.secrets_dir)
    origin = origin_of(settings)
    with ExitStack() as stack:
        for subscription in chosen.subscribers:
            if subscription.secret_name:
                secrets.read(subscription.secret_name)
            own = counts.by_name.setdefault(subscription.name, DeliveryCounts())
            receiver = Webhook(subscription, origin, read_secret=secrets.read)
            delivery = EventDelivery(archive, subscription, receiver, age_max_s=chosen.age_max_s, counts=own)
            stack.callback(delivery.close)
            delivery.start()
        yield counts


def origin_of(settings: Settings) -> EventOrigin:
    """Return who tells of events."""
    return EventOrigin(settings.events.source, settings.events.service_host or _host(settings))


def _host(settings: Settings) -> str:
    """Return how clients name the node: by its one address where it has one, else by where it listens."""
    if settings.http.public_url:
        return urlsplit(settings.http.public_url).netloc
    return next((str(address) for address in settings.http.addresses), "localhost")


class SecretFolder:
    """Give secrets by name, each from a file of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str) -> str:
        """Return a secret; raises InvalidSetting where there is none, or it cannot stand in a header."""
        try:
            with (self._folder / name).open("rb") as file:
                secret = file.read(SECRET_SIZE_MAX_BYTES + 1).decode("ascii").strip()
        except (OSError, UnicodeDecodeError):
            secret = ""
        if not secret or len(secret) > SECRET_SIZE_MAX_BYTES or not secret.isprintable():
            raise InvalidSetting(f"There is no secret {name} in {self._folder}; put it there as a file of that name.")
        return secret
