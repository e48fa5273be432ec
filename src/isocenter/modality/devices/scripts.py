"""The five scripts of the walk-through (routing-and-gateway 2.4): what each sends, and where to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from isocenter.domain.application_entity import AeAddress
from isocenter.domain.errors import InvalidRequest
from isocenter.modality.story import Script, StoryMode, StoryStudy, story_studies

SCRIPT_AE_TITLE = "GDCM"
"""As whom the modality of the walk-through calls: gdcmscu, with one association for each image."""
_LOOPBACK = "127.0.0.1"
_ORTHANC = AeAddress("ORTHANC", _LOOPBACK, 4242)
_QIEROUTER = AeAddress("QIEROUTER", _LOOPBACK, 4007)
_QIETOAZURE = AeAddress("QIETOAZURE", _LOOPBACK, 4006)


@dataclass(frozen=True, slots=True)
class StoryAddresses:
    """Where the application entities of the walk-through listen."""

    orthanc: AeAddress = _ORTHANC
    qierouter: AeAddress = _QIEROUTER
    qietoazure: AeAddress = _QIETOAZURE

    def of(self, script: Script) -> AeAddress:
        """Return where a script sends to."""
        match script:
            case Script.PRELOAD | Script.TO_PACS:
                return self.orthanc
            case Script.TO_ROUTER | Script.TO_ROUTER_EXTRA:
                return self.qierouter
            case Script.MIGRATE:
                return self.qietoazure


SCRIPT_LINES: Mapping[Script, str] = MappingProxyType(
    {
        Script.PRELOAD: "The recent studies of all eight patients go to the PACS.",
        Script.TO_PACS: "New studies of patients 1 to 3 go to the PACS, past the router.",
        Script.TO_ROUTER: "New studies of patients 4 to 6 go to the router, which sends them to PACS and cloud.",
        Script.TO_ROUTER_EXTRA: "New studies of patients 7 and 8 go to the router.",
        Script.MIGRATE: "The priors of all eight patients go through the translator straight to the cloud.",
    }
)


def parse_script(text: str) -> Script:
    """Return the script of that number or name. Raises InvalidRequest."""
    found = [script for script in Script if text in (script, script.partition("-")[0])]
    if not found:
        known = ", ".join(Script)
        raise InvalidRequest(f"There is no such script; it is 1 to 5, or one of {known}.")
    return found[0]


def studies_of(script: Script, mode: StoryMode) -> tuple[StoryStudy, ...]:
    """Return what a script sends, in its order."""
    return tuple(study for study in story_studies(mode) if study.script is script)
