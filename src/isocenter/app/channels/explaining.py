"""Why an instance was sent where it was: what each rule compared, by the version of the configuration that planned it.

What was recorded is the plan: channel, rule, version. What the rules compared is computed again from the instance as it
is stored and how it came, as far as the ledger knows that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from isocenter.archive.archive import Archive
from isocenter.archive.retrieve import read_header
from isocenter.domain.errors import NotFound
from isocenter.ports.index import InstanceRow
from isocenter.ports.ledger import LedgerRow
from isocenter.routing.configuration.channel import Channel, Configuration, DimseSource
from isocenter.routing.rules.decide import Decision, decide_and_explain, wanted_tags
from isocenter.routing.rules.explain import describe_finding
from isocenter.routing.rules.subject import Subject, read_attributes

ConfigurationOf = Callable[[int], Configuration | None]


def explain_delivery(
    archive: Archive, row: LedgerRow, configuration_of: ConfigurationOf, *, with_values: bool
) -> Mapping[str, object]:
    """Return what each rule came to; raises NotFound where version, channel or instance are not there any more."""
    version = row.plan.configuration_version
    configuration = configuration_of(version)
    channel = None if configuration is None else configuration.channel(row.plan.channel)
    if channel is None:
        raise NotFound("No rule sent it, or the version of the configuration that did is not kept any more.")
    stored = archive.index.instance(row.instance_key)
    if stored is None:
        raise NotFound("The instance is not there any more, so that nothing can be compared again.")
    decision = decide_and_explain(channel.rules, subject_of(archive, stored, channel, row.plan.calling_ae_title))
    return {
        "delivery": row.delivery_key,
        "instance": row.identifier.sop_instance_uid,
        "channel": channel.name,
        "configuration_version": version,
        "planned": {"rule": row.plan.rule, "destination": row.plan.destination},
        "matched": list(decision.matched),
        "rules": [
            {
                "name": record.rule.name,
                "outcome": record.outcome.value,
                "to": list(record.rule.to),
                "why": [] if record.finding is None else describe_finding(record.finding, with_values=with_values),
            }
            for record in decision.records
        ],
    }


def subject_of(archive: Archive, stored: InstanceRow, channel: Channel, calling_ae_title: str) -> Subject:
    """Return a stored instance as rules see it; the address of its sender is not kept. Raises InvalidDataset."""
    source = channel.source
    return Subject(
        attributes=read_attributes(read_header(archive, stored), wanted_tags(channel.rules)),
        received_at=datetime.fromtimestamp(stored.received_at, UTC).astimezone(),
        size_bytes=stored.address.length,
        transfer_syntax_uid=stored.transfer_syntax_uid,
        calling_ae_title=calling_ae_title or None,
        called_ae_title=source.listen.ae_title if isinstance(source, DimseSource) else None,
    )


def decide_again(archive: Archive, stored: InstanceRow, channel: Channel, calling_ae_title: str) -> Decision:
    """Return what a channel would decide for a stored instance. Raises InvalidDataset."""
    return decide_and_explain(channel.rules, subject_of(archive, stored, channel, calling_ae_title))
