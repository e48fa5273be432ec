"""What no protocol has a number for: connections that fail, and what happens in this node."""

from __future__ import annotations

from isocenter.routing.catalogue.entry import Family, Row, Side, entries_of

_T, _O, _S, _N, _B, _X = Side.THEIRS, Side.OURS, Side.SENDER, Side.NETWORK, Side.BOTH, Side.NOBODY

_TRANSPORT: tuple[Row, ...] = (
    (
        "name-unknown",
        "Name not known",
        "The name of the host has no address.",
        _O,
        "It is tried again. Correct the name, or write the IP address; see that the name server of this machine is reached.",
    ),
    (
        "connection-refused",
        "Connection refused",
        "The machine answers, and nobody listens on that port.",
        _T,
        "It is tried again. See that the service runs there, and that the port is right.",
    ),
    (
        "unreachable",
        "Unreachable",
        "There is no way to that address.",
        _N,
        "It is tried again. See that line, routes and VPN are up.",
    ),
    (
        "connect-timeout",
        "No answer to the connection",
        "Nothing answers at that address.",
        _N,
        "It is tried again. See that the machine runs; often a firewall between drops the packets.",
    ),
    (
        "connection-lost",
        "Connection lost",
        "The connection broke in the middle.",
        _N,
        "It is tried again. If it happens at the same size each time, look at firewall and VPN between.",
    ),
    (
        "answer-timeout",
        "No answer",
        "The other side took the request and did not answer in time.",
        _T,
        "It is tried again. If it lasts, look at its load.",
    ),
    (
        "answer-garbled",
        "Answer not understood",
        "What came back is no answer of this protocol.",
        _B,
        "It is tried again. See that the port is that of this service; look at the proxy between.",
    ),
    (
        "tls-not-spoken",
        "TLS not spoken",
        "The other side does not speak TLS on this port.",
        _B,
        "Correct the port, or switch TLS on there or off here.",
    ),
    (
        "tls-untrusted",
        "Certificate not trusted",
        "Nobody whom this node trusts vouches for the certificate of the other side.",
        _O,
        "Put the certificate of its authority into authority_file. Verification is never switched off.",
    ),
    (
        "tls-expired",
        "Certificate expired",
        "The certificate of the other side is not valid any more, or not yet.",
        _T,
        "Have it renewed there; see that both clocks are right.",
    ),
    (
        "tls-wrong-name",
        "Certificate of another name",
        "The certificate of the other side is for another name than the one that was called.",
        _B,
        "Call it by the name in its certificate, or have the certificate made for this name.",
    ),
    (
        "tls-refused",
        "TLS refused",
        "The other side does not accept the certificate of this node, or none of its ciphers.",
        _B,
        "Have the certificate of this node accepted there; compare the TLS profiles.",
    ),
)
_LOCAL: tuple[Row, ...] = (
    (
        "secret-missing",
        "Secret missing",
        "The configuration names a secret that is not there.",
        _O,
        "Put the secret under that name.",
    ),
    (
        "transform-refused",
        "Transform not possible",
        "A step of a transform cannot be carried out on this instance.",
        _O,
        "The note says which step; change the transform, or the instance at its source, then send it again.",
    ),
    (
        "cannot-transcode",
        "Conversion not possible",
        "The instance cannot be brought into a transfer syntax that the destination takes without loss.",
        _B,
        "Have the syntax switched on there.",
    ),
    (
        "instance-corrupt",
        "Stored bytes damaged",
        "The bytes of the instance no longer match their checksum.",
        _O,
        "Run `isocenter scrub`; fetch the instance again from where it came.",
    ),
    (
        "instance-gone",
        "Instance gone",
        "The instance was deleted here before it was delivered.",
        _O,
        "Fetch it again from where it came, or cancel the delivery.",
    ),
    ("disk-full", "No room", "There is no room left on this node.", _O, "Free space. It is tried again."),
    (
        "storage-failed",
        "Stored bytes not read",
        "A volume of this node answered with an error.",
        _O,
        "It is tried again. Look at the health of the disk and the log of the node.",
    ),
    (
        "folder-unusable",
        "Folder not usable",
        "The folder is not there, or this node may not write into it.",
        _O,
        "Mount it, or give the node the right to write there; it is looked at again by itself.",
    ),
    (
        "configuration-unusable",
        "Not usable as configured",
        "Something that the configuration says of the destination cannot be used.",
        _O,
        "What the attempt says names it; correct it in the configuration.",
    ),
)
_DELIVERY: tuple[Row, ...] = (
    ("stored", "Stored", "The service lists the instance as stored.", _X, "Nothing."),
    (
        "unmentioned",
        "Not mentioned",
        "The service said that all went well, and did not name this instance.",
        _T,
        "It is tried again; it counts as delivered only when it is named.",
    ),
    (
        "awaiting-study",
        "Waits for its study",
        "It goes out with the rest of its study when that is whole, after a day at the latest.",
        _X,
        "Nothing; `isocenter completeness` tells what is still expected, and lets a study be treated as complete.",
    ),
    ("identical", "The same is there", "The destination had this very instance already.", _X, "Nothing."),
    (
        "different",
        "Another one is there",
        "The destination holds another instance under the same UID.",
        _S,
        "Find out which device gave one UID to two images; then keep one, or replace it by `on_conflict`.",
    ),
    (
        "lease-over",
        "The sender was not heard of",
        "The worker that sent it ended before it told the outcome.",
        _O,
        "It is tried again; the destination may have it already, which does no harm.",
    ),
    (
        "nowhere",
        "Sent nowhere",
        "No rule of its channel names a destination for it.",
        _X,
        "Nothing, if that is meant; `isocenter rule explain` tells what each rule compared.",
    ),
    (
        "superseded",
        "Replaced by a newer version",
        "The instance was replaced here before this version was delivered.",
        _X,
        "Nothing: the newer version has a delivery of its own, unless the rules of the same channel now send it elsewhere.",
    ),
    (
        "deleted",
        "Deleted before it was delivered",
        "The instance was deleted here while it waited.",
        _X,
        "Nothing, if that was meant; else fetch it again from where it came.",
    ),
    (
        "too-old",
        "Tried for too long",
        "It could not be delivered within the time that the destination has for it.",
        _B,
        "Mend what the last failure tells of, then send it again.",
    ),
)

ENTRIES = (
    *entries_of(Family.TRANSPORT, _TRANSPORT),
    *entries_of(Family.LOCAL, _LOCAL),
    *entries_of(Family.DELIVERY, _DELIVERY),
)
