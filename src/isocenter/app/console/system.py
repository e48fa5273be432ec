"""Join the pages of System with the doctor, figures, associations, audit log, people and settings of a node."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from starlette.routing import BaseRoute

from isocenter.app.console.audit_reading import AuditFiles
from isocenter.app.console.doctor_desk import DoctorDesk
from isocenter.app.console.figures import Figures
from isocenter.app.node_identity import NodeIdentity
from isocenter.app.routing_running import Routing
from isocenter.app.settings import Settings
from isocenter.archive.archive import Archive
from isocenter.dimse.shell.record import AssociationRegister
from isocenter.domain.audit import AuditRecord
from isocenter.web.console.console import Console
from isocenter.web.pages.system_associations import association_page_routes
from isocenter.web.pages.system_audit import audit_routes
from isocenter.web.pages.system_doctor import doctor_routes
from isocenter.web.pages.system_figures import figure_routes
from isocenter.web.pages.system_settings import SettingRow, settings_routes
from isocenter.web.pages.system_users import user_routes


class SystemDesk:
    """What the pages of System show and is alive: figures that are measured, a doctor that examines."""

    def __init__(self, figures: Figures, doctor: DoctorDesk, register: AssociationRegister) -> None:
        self.figures = figures
        self.doctor = doctor
        self._register = register

    def marks(self) -> dict[str, Callable[[], Hashable]]:
        """Return what changes when a topic changes."""
        return {"figures": self.figures.mark, "doctor": self.doctor.mark, "associations": self._associations_mark}

    def _associations_mark(self) -> Hashable:
        # Copied, since this is asked from a thread while associations come and go on the event loop.
        live = self._register.live
        return len(live), max((one.association_id for one in live), default=0), self._register.last_id


def open_system_desk(
    archive: Archive, settings: Settings, register: AssociationRegister, routing: Routing | None
) -> SystemDesk:
    """Return the desk of a node; its figures are an edge to be started."""
    figures = Figures(archive, settings, register, routing)
    return SystemDesk(figures, DoctorDesk(settings, now=archive.clock.now), register)


def system_section(
    console: Console,
    desk: SystemDesk,
    *,
    settings: Settings,
    identity: NodeIdentity,
    register: AssociationRegister,
    audit: Callable[[AuditRecord], None] | None,
) -> list[BaseRoute]:
    """Return the routes of System."""
    rows = [SettingRow(one.name, text, origin, one.help) for one, text, origin in settings.rows()]
    trail = AuditFiles(settings.audit.dir) if settings.keeps_audit_log else None
    issuers = settings.identity.issuers if settings.requires_identity else ()
    registry = identity.registry if settings.requires_identity else None
    return [
        *figure_routes(console, desk.figures.samples),
        *association_page_routes(console, register),
        *doctor_routes(console, desk.doctor),
        *audit_routes(console, trail),
        *user_routes(console, registry, issuers=issuers, audit=audit),
        *settings_routes(console, rows, file=str(settings.config_file or "")),
    ]
