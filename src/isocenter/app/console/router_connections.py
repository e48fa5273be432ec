"""Connection tests as the router's pages ask for them: with the node's own title, certificates and secrets."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime

from isocenter.app.channels.desk import RunningDesk
from isocenter.app.connection_testing.destination import Circumstances, check_destination, find_destination
from isocenter.app.delivering import own_side
from isocenter.app.dimse_peer import TlsFiles
from isocenter.app.secrets_by_name import SecretsByName
from isocenter.app.settings import Settings
from isocenter.routing.connection_test.report import ConnectionReport, OnStep


@dataclass(frozen=True, slots=True)
class NodeConnectionTests:
    """Tests of the destinations of a running node (`web.pages.router_needs.ConnectionTests`)."""

    desk: RunningDesk
    settings: Settings

    @property
    def own_title(self) -> str:
        """Return under which title the node calls."""
        return own_side(self.settings.dicom).ae_title

    def run(self, destination: str, *, calling_ae_title: str, stores: bool, on_step: OnStep) -> ConnectionReport:
        """Test the connection to a destination."""
        found = find_destination(self.desk.current.configuration, destination)
        dicom = self.settings.dicom
        files = TlsFiles(dicom.tls_certificate, dicom.tls_key, dicom.tls_authorities)
        circumstances = Circumstances(
            datetime.now(UTC),
            stores=stores,
            calling_ae_title=calling_ae_title,
            tls_files=files,
            on_step=on_step,
        )
        read_secret = SecretsByName(self.settings.data_dir, os.environ).read
        return check_destination(found, circumstances, read_secret=read_secret)
