"""Where the story is played: the parts of a running hospital as its steps use them, and what the steps wait for."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from isocenter.app.hospital.control import HospitalControl
from isocenter.app.hospital.reach import PacsKind, Reach
from isocenter.app.story.books import Books
from isocenter.app.story.images import StoryImages
from isocenter.app.story.orthanc_pacs import OrthancPacs
from isocenter.app.story.our_pacs import DICOMWEB_PATH, OurPacs
from isocenter.app.story.pacs import Pacs
from isocenter.app.story.router_view import RouterView
from isocenter.app.story.signed_in import SignedIn
from isocenter.app.story.web_source import WebSource
from isocenter.dicomweb.client.credentials import ClientCredentials, ClientSecret
from isocenter.modality.devices.scripts import StoryAddresses
from isocenter.modality.story import StoryMode, story_studies

POLL_S = 0.1
DELIVERED_WITHIN_S = 45.0
"""A few pictures over a sound line take a second or two; a loaded machine takes ten times as long."""


@dataclass(slots=True)
class Stage:
    """A hospital, and the books of what has been played in it."""

    reach: Reach
    control: HospitalControl
    mode: StoryMode = StoryMode.FAITHFUL
    images: StoryImages = field(default_factory=StoryImages)
    play: int = 0
    """Which play of the outages this is; each sends other pictures."""
    is_exclusive: bool = True
    """Whether nobody else works in the hospital: then a place has what the books say, and nothing more."""
    pacs: Pacs = field(init=False)
    cloud: WebSource = field(init=False)
    cloud_console: WebSource = field(init=False)
    router: RouterView = field(init=False)
    books: Books = field(init=False)

    def __post_init__(self) -> None:
        self.pacs = OrthancPacs(self.reach) if self.reach.pacs.kind is PacsKind.ORTHANC else OurPacs(self.reach)
        self.cloud = WebSource(self.reach.cloud_url, path=DICOMWEB_PATH, auth=self._token())
        person = SignedIn(self.reach.person, self.reach.cloud_url)
        self.cloud_console = WebSource(self.reach.cloud_url, path=DICOMWEB_PATH, auth=person)
        self.router = RouterView(self.reach)
        self.books = Books(story_studies(self.mode))

    @property
    def addresses(self) -> StoryAddresses:
        """Return where the scripts send to."""
        return StoryAddresses(self.reach.pacs.address, self.reach.router.qierouter, self.reach.router.qietoazure)

    def _token(self) -> httpx.Auth:
        """Return what gets tokens of the cloud as the viewer of another vendor would: by its registration."""
        application = self.reach.application
        secret = ClientSecret(
            application.client_id, application.secret, token_url=application.token_url, scope=application.scope
        )
        return ClientCredentials(secret)


def wait_until(is_so: Callable[[], bool], *, within_s: float) -> bool:
    """Wait for a condition, and tell whether it came to be in time."""
    deadline = time.monotonic() + within_s
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True
