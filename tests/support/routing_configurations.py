"""Configurations of channels of every form, for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from isocenter.domain.application_entity import AeAddress, AeService, RemoteAe
from isocenter.domain.delivery import Priority
from isocenter.routing.calendar import DAY_S, Window
from isocenter.routing.configuration.channel import (
    Acknowledgement,
    AfterReading,
    Channel,
    Configuration,
    DimseSource,
    FeedSource,
    FolderSource,
    ScheduleSource,
    StowSource,
)
from isocenter.routing.configuration.destination import (
    ArchiveTarget,
    BasicAuthentication,
    CallingTitle,
    Compression,
    Destination,
    DimseTarget,
    FolderTarget,
    KeyAuthentication,
    NoAuthentication,
    OAuthAuthentication,
    OnConflict,
    RateLimit,
    WebProfile,
    WebTarget,
)
from isocenter.routing.configuration.gateway import Gateway
from isocenter.routing.configuration.translator import Translator
from isocenter.routing.deliveries.breaker import BreakerPolicy
from isocenter.routing.deliveries.retry import RetryPolicy
from isocenter.routing.prefetch.rule import PrefetchRule, TriggerKind
from isocenter.routing.rules.decide import After, Rule, WaitFor
from isocenter.routing.rules.expression import Path, PathStep
from isocenter.routing.rules.parse import parse_expression
from isocenter.routing.transforms.step import (
    Action,
    Affix,
    Copy,
    MapOtherwise,
    MapValues,
    Reason,
    Recode,
    Remove,
    RemovePrivate,
    Replace,
    Rewrite,
    SetValue,
    Step,
    Transform,
)

names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,8}", fullmatch=True)
_conditions = st.none() | st.sampled_from(
    [
        parse_expression(text)
        for text in ('Modality = "CT"', "size > 5MB or time between 22:00 and 06:00", "Rows is missing")
    ]
)
_lines = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=8)
_texts = st.text(max_size=8).filter(lambda text: "\0" not in text)
_secrets = names
_durations = st.integers(0, 10**7).map(lambda thousandths: thousandths / 1000)
_titles = st.from_regex(r"[A-Z0-9_]{1,16}", fullmatch=True)
_urls = st.sampled_from(["https://archive.example.org/dicom-web", "http://10.0.2.4:8042"])
_minutes = st.integers(0, 24 * 60 - 1).map(lambda minutes: 60 * minutes)


@st.composite
def windows(draw: st.DrawFn) -> Window:
    """Return hours of the week."""
    days = draw(st.frozensets(st.integers(0, 6), min_size=1))
    begins_s = draw(_minutes)
    ends_s = draw(st.one_of(_minutes, st.just(DAY_S)).filter(lambda end: end != begins_s))
    return Window(days, begins_s, ends_s)


_calendars = st.lists(windows(), max_size=3).map(tuple)
_remotes = st.builds(
    RemoteAe,
    ae_title=_titles,
    host=st.sampled_from(["10.0.2.4", "pacs.example.org", "::1"]),
    port=st.integers(1, 65535),
    services=st.frozensets(st.sampled_from(AeService), min_size=1),
    uses_tls=st.booleans(),
)
_title_maps = st.dictionaries(_titles, _titles, max_size=5).map(lambda found: tuple(found.items()))
_sources = st.one_of(
    st.builds(
        DimseSource,
        listen=st.builds(AeAddress, _titles, st.sampled_from(["127.0.0.1", "10.0.0.1"]), st.just(0)),
        acknowledge=st.sampled_from(Acknowledgement),
        callers=st.lists(_titles, max_size=2).map(tuple),
        uses_tls=st.booleans(),
    ),
    st.builds(StowSource, acknowledge=st.sampled_from(Acknowledgement)),
    st.builds(
        FolderSource,
        path=_lines,
        pattern=_lines,
        settle_s=_durations,
        after=st.sampled_from(AfterReading),
        moved_to=_lines,
    ),
    st.builds(FeedSource, partition=names),
    st.builds(
        ScheduleSource,
        at=st.lists(st.sampled_from(["mon-fri 19:00", "sat 7:05", "12:00"]), max_size=2).map(tuple),
        received_within_s=_durations,
    ),
)
_authentications = st.one_of(
    st.just(NoAuthentication()),
    st.builds(BasicAuthentication, _lines, _secrets),
    st.builds(KeyAuthentication, _lines, _secrets),
    st.builds(OAuthAuthentication, _urls, _lines, _secrets, scope=_lines),
    st.builds(OAuthAuthentication, _urls, _lines, _secrets, resource=_lines),
)
_targets = st.one_of(
    st.builds(
        DimseTarget,
        remote=_remotes,
        calling_ae_title=st.sampled_from(CallingTitle),
        calling_ae_titles=_title_maps,
        compression=st.sampled_from(Compression),
        is_duplicate_stored=st.booleans(),
    ),
    st.builds(
        WebTarget,
        url=_urls,
        profile=st.sampled_from(WebProfile),
        authentication=_authentications,
        authority_file=_lines,
        client_certificate_file=_lines,
        client_key_file=_lines,
        client_key_password=_secrets,
        batch_size_bytes=st.integers(0, 2**40),
    ),
    st.builds(FolderTarget, path=_lines),
    st.builds(ArchiveTarget, partition=names),
)
_limits = st.builds(
    RateLimit,
    during=windows(),
    bytes_per_s=st.integers(1, 2**40),
    instances_per_s=st.integers(1, 10**6).map(lambda thousandths: thousandths / 1000),
)


def destinations(name: str) -> st.SearchStrategy[Destination]:
    """Return a strategy for destinations of a name."""
    return st.builds(
        Destination,
        name=st.just(name),
        target=_targets,
        is_enabled=st.booleans(),
        workers=st.integers(1, 16),
        open=_calendars,
        limits=st.lists(_limits, max_size=2).map(tuple),
        on_conflict=st.sampled_from(OnConflict),
        retry=st.builds(RetryPolicy, _durations, _durations, _durations),
        breaker=st.builds(BreakerPolicy, st.integers(1, 1000), _durations, _durations),
        description=_texts,
    )


_NAME, _BODY_PART, _ROWS, _REQUEST = (
    Path((PathStep(tag),)) for tag in (0x00080080, 0x00180015, 0x00280030, 0x00400275)
)
_paths = st.sampled_from([_NAME, Path((PathStep(0x00400275), PathStep(0x00080080)))])
_no_backslash = _lines.filter(lambda text: "\\" not in text)
_actions: st.SearchStrategy[Action] = st.one_of(
    st.builds(SetValue, _paths, st.lists(_no_backslash, max_size=1).map(tuple)),
    st.builds(Remove, st.sampled_from([_NAME, _REQUEST, Path((PathStep(0x00091001),))])),
    st.builds(Copy, _paths, _paths),
    st.builds(Affix, _paths, prefix=_lines, suffix=_lines),
    st.builds(Replace, _paths, find=_texts.filter(bool), by=_texts),
    st.builds(Rewrite, _paths, pattern=st.sampled_from(["*-?", "ACC*"]), result=st.sampled_from(["{1}", "{0}x", "y"])),
    st.builds(
        MapValues,
        st.just(_BODY_PART),
        st.dictionaries(_no_backslash, st.sampled_from(["CHEST", "HEAD"]), max_size=5).map(
            lambda found: tuple(found.items())
        ),
        st.sampled_from(MapOtherwise),
    ),
    st.builds(Recode, st.sampled_from(["ISO_IR 192", "ISO_IR 100"])),
    st.builds(RemovePrivate, st.lists(_lines, max_size=2).map(tuple)),
)


def transforms(name: str) -> st.SearchStrategy[Transform]:
    """Return a strategy for transforms of a name."""
    return st.builds(
        Transform,
        name=st.just(name),
        steps=st.lists(st.builds(Step, _actions, _conditions), max_size=3).map(tuple),
        keeps_originals=st.booleans(),
        reason=st.sampled_from(Reason),
    )


@st.composite
def configurations(draw: st.DrawFn) -> Configuration:
    """Return a sound configuration."""
    destination_names = draw(st.lists(names, unique=True, max_size=2))
    transform_names = draw(st.lists(names, unique=True, max_size=2))
    targets = [draw(destinations(name)) for name in destination_names]
    channels = [
        Channel(
            name,
            draw(_sources),
            tuple(draw(_rules(destination_names, transform_names))),
            is_started=draw(st.booleans()),
            description=draw(_texts),
        )
        for name in draw(st.lists(names, unique=True, max_size=2))
    ]
    return Configuration(
        tuple(channels),
        tuple(targets),
        tuple(draw(transforms(name)) for name in transform_names),
        tuple(draw(_translators([one.name for one in targets if isinstance(one.target, WebTarget)]))),
        tuple(draw(_prefetch([one.name for one in targets if isinstance(one.target, DimseTarget | WebTarget)]))),
        tuple(draw(_gateways([one.name for one in targets if isinstance(one.target, DimseTarget)]))),
    )


@st.composite
def _gateways(draw: st.DrawFn, upstream_names: list[str]) -> list[Gateway]:
    if not upstream_names:
        return []
    return [
        Gateway(
            name,
            draw(st.sampled_from(upstream_names)),
            listen=draw(st.none() | st.builds(AeAddress, _titles, st.just("127.0.0.1"), st.just(0))),
            prefers_move=draw(st.booleans()),
            keep_s=float(draw(st.integers(1, 10**6))),
            description=draw(_texts),
        )
        for name in draw(st.lists(names, unique=True, max_size=2))
    ]


@st.composite
def _prefetch(draw: st.DrawFn, sources: list[str]) -> list[PrefetchRule]:
    if not sources:
        return []
    return [
        PrefetchRule(
            name,
            tuple(draw(st.lists(st.sampled_from(sources), min_size=1, unique=True))),
            on=tuple(draw(st.lists(st.sampled_from(TriggerKind), unique=True))),
            modalities=tuple(draw(st.lists(st.sampled_from(["CT", "MR"]), unique=True))),
            age_max_s=float(draw(st.integers(0, 10**6))),
            score_min=draw(st.sampled_from([0.0, 0.25, 1.0])),
            synonyms=tuple(
                draw(
                    st.dictionaries(st.sampled_from(["RAD0815", "THX"]), st.sampled_from(["head", "leg"]), max_size=2)
                ).items()
            ),
            is_enabled=draw(st.booleans()),
            description=draw(_texts),
        )
        for name in draw(st.lists(names, unique=True, max_size=2))
    ]


@st.composite
def _translators(draw: st.DrawFn, upstream_names: list[str]) -> list[Translator]:
    if not upstream_names:
        return []
    titles = iter(draw(st.lists(_titles, unique=True, min_size=2, max_size=2)))
    return [
        Translator(
            name,
            AeAddress(next(titles), "127.0.0.1", 0),
            draw(st.sampled_from(upstream_names)),
            callers=tuple(draw(st.lists(_titles, max_size=2))),
            matches_max=draw(st.integers(1, 1000)),
            answers_duplicates=draw(st.booleans()),
            uses_tls=draw(st.booleans()),
            is_started=draw(st.booleans()),
            description=draw(_texts),
        )
        for name in draw(st.lists(names, unique=True, max_size=2))
    ]


@st.composite
def _rules(draw: st.DrawFn, destination_names: list[str], transform_names: list[str]) -> list[Rule]:
    def some(known: list[str]) -> tuple[str, ...]:
        return tuple(draw(st.lists(st.sampled_from(known), unique=True))) if known else ()

    rules = []
    for name in draw(st.lists(_lines, unique=True, max_size=3)):
        is_otherwise = draw(st.booleans())
        rules.append(
            Rule(
                name,
                None if is_otherwise else draw(_conditions),
                is_otherwise,
                some(destination_names),
                some(transform_names),
                draw(st.sampled_from(Priority)),
                draw(st.sampled_from(After)),
                draw(st.sampled_from(WaitFor)),
            )
        )
    return rules
