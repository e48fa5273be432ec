"""Regions of the body behind the words that devices and schedulers use: a table of synonyms, and of neighbours."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from enum import StrEnum

TEXT_LENGTH_MAX = 1024
"""A description has 64 characters."""
_WORD = re.compile(r"[a-z0-9]+")


class Region(StrEnum):
    """A region, coarse enough that studies of one are compared with each other."""

    HEAD = "head"
    NECK = "neck"
    CHEST = "chest"
    HEART = "heart"
    BREAST = "breast"
    ABDOMEN = "abdomen"
    PELVIS = "pelvis"
    SPINE = "spine"
    ARM = "arm"
    LEG = "leg"
    WHOLE_BODY = "whole body"


NEIGHBOURS: frozenset[frozenset[Region]] = frozenset(
    frozenset(pair)
    for pair in (
        (Region.HEAD, Region.NECK),
        (Region.NECK, Region.CHEST),
        (Region.NECK, Region.SPINE),
        (Region.CHEST, Region.HEART),
        (Region.CHEST, Region.ABDOMEN),
        (Region.CHEST, Region.SPINE),
        (Region.ABDOMEN, Region.PELVIS),
        (Region.PELVIS, Region.LEG),
        (Region.PELVIS, Region.SPINE),
    )
)
"""Pairs of which the one often shows what the other is about."""

_SYNONYMS: Mapping[Region, str] = {
    Region.HEAD: "head brain skull cranium cranial cerebral cerebrum face facial sinus sinuses orbit orbits eye ear "
    "iac temporal mandible maxilla jaw tmj pituitary sella dental teeth neuro kopf schadel gehirn hirn crane cerveau "
    "tete testa cabeza cerebro mxf",
    Region.NECK: "neck thyroid larynx pharynx carotid carotids cervical parathyroid hals cou cuello collo",
    Region.CHEST: "chest thorax thoracic lung lungs pulmonary rib ribs cxr sternum mediastinum clavicle thx poumon "
    "torace torax rippen lunge trachea",
    Region.HEART: "heart cardiac coronary coronaries herz coeur cuore corazon ccta echo echocardiography myocardium",
    Region.BREAST: "breast breasts mamma mammo mammography mammogram brust sein seno",
    Region.ABDOMEN: "abdomen abdominal liver hepatic kidney kidneys renal pancreas spleen bowel colon stomach biliary "
    "gallbladder kub abd leber niere oberbauch bauch foie addome urinary ureter appendix",
    Region.PELVIS: "pelvis pelvic bladder prostate uterus ovary ovaries rectum hip hips sacrum becken bassin bacino "
    "huefte hufte pelvi sij",
    Region.SPINE: "spine spinal lumbar lspine tspine cspine lumbosacral vertebra vertebrae myelo ws lws bws hws "
    "wirbelsaule rachis colonna columna coccyx",
    Region.ARM: "arm shoulder humerus elbow forearm wrist hand finger fingers thumb radius ulna scapula acj schulter "
    "ellenbogen extremityupper epaule poignet main",
    Region.LEG: "leg knee femur thigh ankle foot feet toe toes tibia fibula calf heel calcaneus patella knie fuss "
    "genou cheville pied ginocchio",
    Region.WHOLE_BODY: "wholebody wb pet petct",
}
_BY_WORD: Mapping[str, Region] = {word: region for region, words in _SYNONYMS.items() for word in words.split()}
_PHRASES: Mapping[str, Region] = {
    "whole body": Region.WHOLE_BODY,
    "cervical spine": Region.SPINE,
    "thoracic spine": Region.SPINE,
    "c spine": Region.SPINE,
    "t spine": Region.SPINE,
    "l spine": Region.SPINE,
    "upper extremity": Region.ARM,
    "lower extremity": Region.LEG,
    "colonna vertebrale": Region.SPINE,
}
"""Words that mean something else together than each for itself; they are looked for first."""


def regions_of(*texts: str, synonyms: Iterable[tuple[str, str]] = ()) -> frozenset[Region]:
    """Return the regions that words speak of; those of the house go before the table."""
    words = " ".join(" ".join(_WORD.findall(_folded(text[:TEXT_LENGTH_MAX]))) for text in texts)
    found: set[Region] = set()
    phrases = [(" ".join(_WORD.findall(_folded(word))), Region(region)) for word, region in synonyms]
    for phrase, region in (*phrases, *_PHRASES.items()):
        if phrase and f" {phrase} " in f" {words} ":
            found.add(region)
            words = f" {words} ".replace(f" {phrase} ", "  ").strip()
    found.update(_BY_WORD[word] for word in words.split() if word in _BY_WORD)
    return frozenset(found)


def are_neighbours(one: Iterable[Region], other: Iterable[Region]) -> bool:
    """Tell whether a region of the one lies beside a region of the other."""
    others = tuple(other)
    return any(frozenset((here, there)) in NEIGHBOURS for here in one for there in others)


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).casefold().replace("_", " ")
