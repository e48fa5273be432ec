"""Checks of what a node exchanges files and events with: places to import from, receivers, FHIR."""

from __future__ import annotations

import os
from contextlib import closing
from itertools import islice

from isocenter.app.doctor import Check, Finding, fail, ok, warn
from isocenter.app.eventing import SecretFolder, origin_of
from isocenter.app.fhir_desk import check as check_server
from isocenter.app.importing import has_container, open_container, require_apart
from isocenter.app.settings import Settings
from isocenter.app.webhook import Webhook
from isocenter.domain.errors import Unavailable
from isocenter.storage.sources.folder import MESSAGE_SUFFIX

REFUSED_COUNTED_MAX = 10_000
"""Refused files beyond this are not counted one by one."""


def check_import_folder(settings: Settings) -> Finding:
    """Look whether files can be taken from the folder of bulk import, and whether any were refused."""
    chosen = settings.bulk_import
    if chosen.dir is None:
        return ok("no folder is imported from")
    require_apart(settings)
    for folder in (chosen.dir, chosen.errors_dir):
        if folder.exists() and not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            return fail(
                f"{folder} cannot be read and written to", "Give the node's user the right to, or name another."
            )
    refused = sum(1 for _ in islice(chosen.errors_dir.rglob(f"*{MESSAGE_SUFFIX}"), REFUSED_COUNTED_MAX))
    if refused:
        return warn(
            f"{refused} refused files lie in {chosen.errors_dir}",
            f"Read the *{MESSAGE_SUFFIX} beside them, mend them and put them back, or remove both.",
        )
    return ok(f"{chosen.dir}, refused files go to {chosen.errors_dir}")


def check_import_container(settings: Settings) -> Finding:
    """Look whether blobs can be taken from the container of bulk import."""
    if not has_container(settings):
        return ok("no container is imported from")
    open_container(settings).check()
    return ok("the containers of bulk import answer")


def check_event_receivers(settings: Settings) -> Finding:
    """Ask each receiver of events whether it wants them."""
    subscriptions = settings.events.subscribers
    if not subscriptions:
        return ok("nobody is told of events")
    secrets = SecretFolder(settings.events.secrets_dir)
    refusals: list[str] = []
    for subscription in subscriptions:
        if subscription.secret_name:
            secrets.read(subscription.secret_name)
        with closing(Webhook(subscription, origin_of(settings), read_secret=secrets.read)) as receiver:
            answer = receiver.validate()
        if subscription.is_validated and not answer.is_taken:
            refusals.append(f"{subscription.name}: {answer.reason}")
    if refusals:
        return warn(
            "; ".join(refusals),
            "Check address and receiver; events wait for it in the change feed meanwhile (docs/how-to/events.md).",
        )
    return ok(f"{len(subscriptions)} receivers of events agree")


def check_fhir_server(settings: Settings) -> Finding:
    """Ask the FHIR server whether studies can be cast to it."""
    if not settings.fhir.url:
        return ok("no FHIR server is kept in step")
    try:
        capability = check_server(settings)
    except Unavailable as error:
        return warn(error.message, "Mend it; studies wait in the change feed meanwhile (docs/how-to/fhir.md).")
    return ok(f"{settings.fhir.url} is {capability.software}, FHIR {capability.fhir_version}")


CHECKS = (
    Check("bulk import folder", check_import_folder),
    Check("bulk import container", check_import_container),
    Check("event receivers", check_event_receivers),
    Check("FHIR server", check_fhir_server),
)
