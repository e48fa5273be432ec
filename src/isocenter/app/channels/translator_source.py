"""A translator as something that is opened and closed like the source of a channel."""

from __future__ import annotations

from isocenter.app.channels.unit import TranslatorBasis
from isocenter.app.secrets_by_name import ReadSecret
from isocenter.app.translating.running import RunningTranslator, TranslatorNeeds


class TranslatorSource:
    """The listener of one translator, with its connections to the service."""

    stays_open_paused = False

    def __init__(self, basis: TranslatorBasis, needs: TranslatorNeeds, read_secret: ReadSecret) -> None:
        self._basis = basis
        self._needs = needs
        self._read_secret = read_secret
        self._running: RunningTranslator | None = None

    @property
    def address(self) -> str:
        """Return title, host and port."""
        return str(self._basis.translator.listen)

    async def open(self) -> None:
        """Begin to answer. Raises InvalidSetting where a secret or certificate is not there, Unavailable."""
        running = RunningTranslator(self._basis.translator, self._basis.destination, self._needs, self._read_secret)
        try:
            running.listen()
            await running.start()
        except BaseException:
            running.close()
            raise
        self._running = running

    async def close(self) -> None:
        """End all associations, and let go of the service."""
        running, self._running = self._running, None
        if running is not None:
            await running.stop()
