"""What is started and stopped on its own: channels, and translators beside them under `translators.NAME`."""

from __future__ import annotations

from dataclasses import dataclass

from isocenter.routing.configuration.channel import Channel, Configuration, DimseSource
from isocenter.routing.configuration.destination import Destination
from isocenter.routing.configuration.translator import Translator

TRANSLATOR_PREFIX = "translators."
"""As its header in the file; a name of a channel may hold a dot, and hardly begins like this."""
TRANSLATOR = "translator"


@dataclass(frozen=True, slots=True)
class TranslatorBasis:
    """What a translator is made of: where one of both changes, it is made anew."""

    translator: Translator
    destination: Destination


@dataclass(frozen=True, slots=True)
class Unit:
    """One channel or translator of a configuration."""

    name: str
    channel: Channel
    """For a translator one without rules, which takes nothing in."""
    basis: object
    """What its source is made of."""

    @property
    def is_translator(self) -> bool:
        """Tell which of both it is."""
        return isinstance(self.basis, TranslatorBasis)


def units_of(configuration: Configuration) -> tuple[Unit, ...]:
    """Return the channels of a configuration, then its translators."""
    channels = (Unit(one.name, one, one.source) for one in configuration.channels)
    translators = (_unit(one, configuration) for one in configuration.translators)
    return (*channels, *translators)


def _unit(translator: Translator, configuration: Configuration) -> Unit:
    destination = configuration.destination(translator.upstream)
    assert destination is not None, "a sound configuration names destinations that are there"
    name = TRANSLATOR_PREFIX + translator.name
    channel = Channel(
        name, DimseSource(translator.listen), is_started=translator.is_started, description=translator.description
    )
    return Unit(name, channel, TranslatorBasis(translator, destination))
