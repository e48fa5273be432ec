"""The nine steps in plain words: what a person does and sees, and where to look (routing-and-gateway 2.8)."""

from __future__ import annotations

from isocenter.app.hospital.control import Part
from isocenter.app.story.step import Look, StepPlan

STEPS: tuple[StepPlan, ...] = (
    StepPlan(
        1,
        "Fill the PACS",
        (
            "A PACS is the hospital's archive of pictures. Eight people have been X-rayed here before.",
            "Their chest X-rays are sent to the PACS the way every imaging device sends: picture by picture, over the "
            "network protocol called DICOM. The PACS confirms each one.",
        ),
        looks=(Look(Part.PACS, "/", "The studies of the PACS: eight people, one study each."),),
    ),
    StepPlan(
        2,
        "A device sends straight to the PACS",
        (
            "Today three of those people come again. The X-ray device (a “modality”) knows only the PACS, as in most "
            "hospitals, and sends its new pictures there.",
            "Three people now have two studies: one from before, one from today.",
        ),
        needs=frozenset({1}),
        looks=(Look(Part.PACS, "/?patient=Schmeler639", "Jule has a study of 2011 and one of today."),),
    ),
    StepPlan(
        3,
        "Connect the router",
        (
            "The hospital rents an archive in the cloud, which speaks another language (DICOMweb, over the web). A "
            "router stands between the two and translates.",
            "Its configuration is read, it asks the cloud for an access token, each connection is tested step by step, "
            "and its three doors are opened: one for devices, one that looks like a PACS to the PACS, and the way out.",
        ),
        looks=(Look(Part.ROUTER, "/router", "The channels of the router: each door, and what passed through it."),),
    ),
    StepPlan(
        4,
        "The PACS sends a study to the cloud",
        (
            "Somebody at the PACS sends Jule's study of 2011 to “QIETOAZURE”. For the PACS that is just another "
            "archive; in truth it is the router, which stores the study in the cloud.",
            "The picture opens in the viewer of the cloud, and its pixels are those that the device made, bit for bit.",
        ),
        needs=frozenset({1, 3}),
        looks=(
            Look(Part.CLOUD, "/?patient=Schmeler639", "Jule's study of 2011, in the cloud."),
            Look(Part.CLOUD, "/viewer/", "The viewer of the cloud."),
        ),
    ),
    StepPlan(
        5,
        "A device sends through the router",
        (
            "Five more people are X-rayed. Their device sends to “QIEROUTER”, which keeps each picture safely before "
            "it confirms it, and then delivers it twice: to the PACS and to the cloud.",
            "The router's counters always add up: what it received is what it delivered, plus what waits.",
        ),
        needs=frozenset({1, 3}),
        looks=(
            Look(Part.ROUTER, "/router", "Received, delivered, waiting: watch them add up."),
            Look(Part.PACS, "/", "The new studies in the PACS …"),
            Look(Part.CLOUD, "/", "… and in the cloud."),
        ),
    ),
    StepPlan(
        6,
        "Move the old archive to the cloud",
        (
            "An old archive is given up. What it has, studies from 1969 on, is sent through the router to the cloud.",
            "The cloud now has Jule's studies of 1994 and 2011; the PACS has those of 2011 and of today. Nobody has "
            "all three yet.",
        ),
        needs=frozenset({3, 4}),
        looks=(Look(Part.CLOUD, "/?patient=Schmeler639", "Jule in the cloud: 1994 and 2011."),),
    ),
    StepPlan(
        7,
        "Fetch an old study back",
        (
            "A doctor wants to compare Jule's picture of today with that of 1994. From the PACS, the cloud is searched "
            "as if it were one more PACS; the study of 1994 is found and retrieved.",
            "A search of the PACS itself now shows three studies.",
        ),
        needs=frozenset({2, 6}),
        looks=(Look(Part.PACS, "/?patient=Schmeler639", "Jule in the PACS: 1994, 2011 and today."),),
    ),
    StepPlan(
        8,
        "The line to the cloud breaks",
        (
            "While a scanner is sending forty pictures, the line to the cloud is cut: a real fault, connections break "
            "in the middle. The scanner notices nothing, for the router confirms what it has kept safely. Pictures for "
            "the PACS go on; those for the cloud pile up.",
            "Searching the cloud fails and says so, rather than claiming that there is nothing; searching the PACS "
            "works. Then the line is mended, and the pile goes down to nothing by itself.",
        ),
        needs=frozenset({2, 5, 6}),
        looks=(
            Look(Part.ROUTER, "/router", "The pile for the cloud grows and goes down."),
            Look(Part.CLOUD, "/", "The scan is in the cloud, whole."),
        ),
        breaks=True,
    ),
    StepPlan(
        9,
        "The PACS dies",
        (
            "Again a scanner is sending, and the PACS is killed in the middle, as if its power went. Doctors go on "
            "reading in the viewer of the cloud, and the scanner's pictures are kept for the PACS.",
            "The PACS is started again and gets everything that it missed. Nothing is lost, nothing is there twice.",
        ),
        needs=frozenset({1, 5}),
        looks=(
            Look(Part.ROUTER, "/router", "The pile for the PACS grows and goes down."),
            Look(Part.PACS, "/", "The scan is in the PACS, whole."),
        ),
        breaks=True,
    ),
)


def step_plan(number: int) -> StepPlan:
    """Return a step by its number, which must be one."""
    return STEPS[number - 1]
