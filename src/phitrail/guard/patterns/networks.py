"""Addresses of networks: e-mail, web links, IP addresses and hardware addresses.

A web link is somebody's when it leads to a place made for one person: a path with a
number, a token or a name. Links to code systems, registries, guidelines and agencies
are nobody's, and so is a bare host. A dotted number is an IP address when it parses
and is not a version, a section or a part of an object identifier.
"""

import re
from typing import Final

from phitrail.events.codes import IdentifierClass as Class
from phitrail.guard import validators
from phitrail.guard.digit_runs import Run
from phitrail.guard.patterns.hits import Hit

_EMAIL_LOCAL: Final = re.compile(r"[^\s@<>()\[\]{},;:\"'|/\\=]{1,64}$")
_EMAIL_HOST: Final = re.compile(r"\s?(?:[\w-]{1,63}\.){1,6}[\w-]{2,24}")
_LINK_BODY: Final = re.compile(r"[^\s<>\"'|`\])}]{3,600}")
_SCHEME: Final = re.compile(r"ttps?://|ftp://|ww\.")
_DOMAIN_END: Final = re.compile(r"\.[a-z]{2,12}/(?=[\w%?#~-])")
_DOMAIN: Final = re.compile(r"(?<![\w@./-])(?:[a-z0-9-]{1,63}\.){0,5}[a-z0-9-]{1,63}$")
_NEUTRAL_HOSTS: Final = frozenset(
    "hl7.org loinc.org snomed.info snomed.org unitsofmeasure.org nih.gov cdc.gov fda.gov"
    " who.int ama-assn.org cms.gov hhs.gov ahrq.gov doi.org nice.org.uk nhs.uk gov.uk"
    " uptodate.com medscape.com nejm.org jamanetwork.com thelancet.com bmj.com"
    " pubmed.gov clinicaltrials.gov acc.org heart.org diabetes.org idsociety.org"
    " nccn.org asco.org acog.org aap.org aafp.org uspreventiveservicestaskforce.org"
    " smarthealthit.org fhir.org ihe.net w3.org ietf.org iana.org dicom.nema.org nema.org"
    " regenstrief.org rxnav.nlm.nih.gov wikipedia.org github.com kdigo.org ginasthma.org"
    " goldcopd.org cochranelibrary.com mayoclinic.org medlineplus.gov healthit.gov"
    " orpha.net omim.org ncbi.nlm.nih.gov va.gov samhsa.gov esmo.org escardio.org"
    " cancer.org drugs.com dailymed.nlm.nih.gov genenames.org ensembl.org".split()
)
_SCHEMA_PATH: Final = re.compile(
    r"/(?:structuredefinition|codesystem|valueset|sid|fhir)/"
)
_VERSION_BEFORE: Final = re.compile(
    r"(?:version|ver|v|release|build|oid|section|sec|§|urn:oid:)[ :.]{0,2}$"
)
_DOTTED: Final = re.compile(
    r"\d(?<![\w.-]\d)\d{0,2}(?:\.\d{1,3}){3}(?!(?!https?:)\w|\.\d|-\d)", re.ASCII
)
_COLONED: Final = re.compile(
    r"[0-9a-f:](?<![\w:.][0-9a-f:])[0-9a-f]{0,3}(?::{1,2}[0-9a-f]{1,4}){2,7}(?:::)?(?![\w:])"
)
_HARDWARE: Final = re.compile(
    r"[0-9a-f](?<![\w:-][0-9a-f])[0-9a-f](?:([:-])[0-9a-f]{2})(?:\1[0-9a-f]{2}){4}(?![\w:-])"
)
_TRAILING: Final = ".,;:!?*_"


def find_addresses(text: str, low: str, runs: list[Run]) -> list[Hit]:
    """Find e-mail, web, IP and hardware addresses."""
    hits: list[Hit] = []
    if "@" in text:
        _find_emails(text, hits)
    if "/" in text or "www." in low:
        _find_links(low, hits)
    for start, size, follower in runs:
        if follower == "." and size < 4:  # noqa: PLR2004 - a part of an address has three figures
            _read_dotted(low, start, hits)
    if _HEX_GROUPS.search(low):
        _find_coloned(low, hits)
    return hits


_HEX_GROUPS: Final = re.compile(
    r":[0-9a-f]{0,4}:[0-9a-f]|-[0-9a-f]{2}-[0-9a-f]{2}-[0-9a-f]{2}-[0-9a-f]{2}(?!\w)"
)


def _find_emails(text: str, hits: list[Hit]) -> None:
    at = text.find("@")
    while at >= 0:
        local = _EMAIL_LOCAL.search(text[max(0, at - 64) : at])
        host = _EMAIL_HOST.match(text, at + 1)
        if local and host and not text[at + 1].isspace():
            start = at - len(local.group())
            hits.append(Hit(start, host.end(), Class.EMAIL, 0.99, "email"))
        elif (handle := _HANDLE.match(text, at)) and not text[at - 1 : at].isalnum():
            hits.append(Hit(at, handle.end(), Class.OTHER, 0.8, "other.handle"))
        at = text.find("@", at + 1)


_HANDLE: Final = re.compile(r"@(?=[A-Za-z]\w{0,30}[\d_])[A-Za-z]\w{2,30}")


def _find_links(low: str, hits: list[Hit]) -> None:
    starts = []
    if "://" in low or "www." in low:
        starts = [_with_first(low, match.start()) for match in _SCHEME.finditer(low)]
    for match in _DOMAIN_END.finditer(low):
        window = max(0, match.start() - 130)
        if domain := _DOMAIN.search(low[window : match.start()]):
            starts.append(window + domain.start())
    last = -1
    for start in sorted(starts):
        body = _LINK_BODY.match(low, start)
        if body is None or start < last:
            continue
        link = body.group().rstrip(_TRAILING)
        last = start + len(link)
        if is_personal_link(link):
            hits.append(Hit(start, last, Class.URL, 0.95, "url"))


def _with_first(low: str, start: int) -> int:
    """Step back over the `h` or `w` that the pattern leaves out to start at a rare letter."""
    return start - 1 if low[start - 1 : start] in {"h", "w"} else start


def is_personal_link(link: str) -> bool:
    """Whether a web link, in lower case, leads to a place made for one person."""
    bare = link.partition("://")[2] or link
    host, _, path = bare.partition("/")
    host = host.rpartition("@")[2].partition(":")[0].partition("?")[0]
    labels = host.removeprefix("www.").split(".")
    if labels[-1] in {"gov", "int", "mil"} or labels[-2:] == ["gov", "uk"]:
        return False
    if any(
        ".".join(labels[place:]) in _NEUTRAL_HOSTS for place in range(len(labels) - 1)
    ):
        return False
    if _SCHEMA_PATH.search("/" + path):
        return False
    return len(path) > 1 or "?" in bare


def _read_dotted(low: str, start: int, hits: list[Hit]) -> None:
    match = _DOTTED.match(low, start)
    if match is None or _VERSION_BEFORE.search(low[max(0, start - 12) : start]):
        return
    if validators.is_ipv4(match.group()):
        hits.append(Hit(*match.span(), Class.IP_ADDRESS, 0.95, "ip.v4"))


def _find_coloned(low: str, hits: list[Hit]) -> None:
    hits += [
        Hit(*match.span(), Class.IP_ADDRESS, 0.95, "ip.v6")
        for match in _COLONED.finditer(low)
        if validators.is_ipv6(match.group())
    ]
    hits += [
        Hit(*match.span(), Class.DEVICE, 0.85, "device.hardware")
        for match in _HARDWARE.finditer(low)
    ]
