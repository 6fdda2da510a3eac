"""tenant.yaml, policy.yaml, anchors.yaml, sources.yaml: terms, numbers, who else.

Each is read once, strictly: an unknown key is refused, an error names file and key and
never quotes a value. `tenant.yaml` says who we are and which terms we use; `policy.yaml`
holds numbers; `anchors.yaml`, which may be absent, says who holds checkpoints off this
host; `sources.yaml`, which may be absent, says which systems number what they record. Code
holds none of it.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import msgspec
import yaml

from phitrail.anchor.settings import AnchorSettings
from phitrail.detect.enrich import check_zones
from phitrail.durable.files import DurableFiles
from phitrail.errors import ConfigError, InputError, StorageError
from phitrail.events.codes import Action
from phitrail.events.shapes import ModelName, TenantName, Term, VerifierKeyText
from phitrail.events.vocabulary import FIELDS_OF_LIST, Vocabulary
from phitrail.guard.policy import GuardPolicy, policy_of
from phitrail.keys.settings import KeysSection

TENANT_FILE = "tenant.yaml"
POLICY_FILE = "policy.yaml"
ANCHORS_FILE = "anchors.yaml"
SOURCES_FILE = "sources.yaml"

MRN_SYSTEM = "mrn"
"""The system of patients under which their identifiers are taken for their MRNs."""

StructT = TypeVar("StructT", bound=msgspec.Struct)
Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
Days = Annotated[float, msgspec.Meta(gt=0, le=3_650)]

ListOfValues = Annotated[
    tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=512)], ...],
    msgspec.Meta(min_length=1, max_length=1_000),
]


class IdentitySystems(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """The identifier systems of patients, records and users."""

    patient: Term = MRN_SYSTEM
    record: Term = "ehr"
    user: Term = "workforce"


class Tenant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """tenant.yaml."""

    tenant: TenantName
    identity: IdentitySystems = IdentitySystems()
    vocabulary: dict[str, tuple[ModelName, ...]] = {}
    actions: dict[Term, Action] = {}
    facility_zones: dict[Term, str] = {}
    holidays: dict[Term, tuple[date, ...]] = {}
    lists: Annotated[dict[Term, ListOfValues], msgspec.Meta(max_length=100)] = {}

    def terms(self) -> Vocabulary:
        """Return the vocabulary of the tenant."""
        return Vocabulary.from_lists(
            {name: frozenset(terms) for name, terms in self.vocabulary.items()},
            source=TENANT_FILE,
        )


class GuardSection(GuardPolicy, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The section `guard` of policy.yaml: whether there is a guard, and its policy.

    `off` scans nothing; `observe` scans, records and releases everything; `enforce` releases
    what the policy says.
    """

    mode: Literal["off", "observe", "enforce"] = "enforce"


class DetectSection(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """The section `detect` of policy.yaml: whether rules are judged, and how patiently."""

    is_on: bool = True
    lateness_s: Seconds = 120.0
    update_after_s: Seconds = 3_600.0
    most_groups: Annotated[int, msgspec.Meta(ge=1_000, le=10_000_000)] = 1_000_000
    warm_up_rows: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)] = 200_000
    wait_s: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 600.0
    idle_s: Seconds = 300.0
    ahead_s: Seconds = 300.0
    behind_s: Annotated[float, msgspec.Meta(gt=0, le=2_678_400)] = 86_400.0


class OverdueSection(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """The section `overdue` of policy.yaml: how long things may go without happening."""

    critical_alert_days: Days = 1.0
    high_alert_days: Days = 3.0
    medium_alert_days: Days = 14.0
    low_alert_days: Days = 30.0
    review_hours: Annotated[float, msgspec.Meta(gt=0, le=8_760)] = 72.0
    dormant_days: Annotated[int, msgspec.Meta(ge=1, le=3_650)] = 45
    containment_hours: Annotated[float, msgspec.Meta(gt=0, le=8_760)] = 72.0


class QualitySection(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """The section `quality` of policy.yaml: how versions of models are compared."""

    is_watched: bool = True
    ratings_ripen_hours: Annotated[float, msgspec.Meta(ge=0, le=2_160)] = 72.0
    false_discovery: Annotated[float, msgspec.Meta(gt=0, le=0.5)] = 0.05


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """policy.yaml; a trail without the section `guard` has no guard."""

    publish_interval_s: Seconds = 1.0
    identity_lookups_per_hour: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 60
    tables_need_encrypted_volume: bool = False
    anchors_needed: Annotated[int, msgspec.Meta(ge=1, le=16)] = 1
    anchor_within_s: Annotated[float, msgspec.Meta(gt=0, le=2_592_000)] = 3_600.0
    source_heartbeat_s: Seconds = 60.0
    source_silent_after_s: Seconds = 180.0
    source_late_after_s: Seconds = 300.0
    reconcile_tolerance_s: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 120.0
    spool_age_s: Seconds = 3_600.0
    spool_events: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 100_000
    access_unclosed_after_s: Seconds = 3_600.0
    profile: Literal["development", "production"] = "development"
    keys: KeysSection = KeysSection()
    detect: DetectSection = DetectSection()
    quality: QualitySection = QualitySection()
    overdue: OverdueSection = OverdueSection()
    guard: GuardSection | None = None

    @property
    def has_guard(self) -> bool:
        """Whether answers are scanned."""
        return self.guard is not None and self.guard.mode != "off"


class RegisteredSource(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """One source of sources.yaml: its name and the public half of its credential."""

    source: Term
    vkey: VerifierKeyText


class _Sources(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """sources.yaml."""

    sources: tuple[RegisteredSource, ...]


STARTER_VOCABULARY: dict[str, tuple[str, ...]] = {
    "roles": (
        "physician",
        "nurse",
        "pharmacist",
        "therapist",
        "technician",
        "registrar",
        "researcher",
        "privacy_officer",
        "security_officer",
        "administrator",
        "service",
    ),
    "departments": (
        "emergency",
        "internal_medicine",
        "cardiology",
        "oncology",
        "pediatrics",
        "surgery",
        "radiology",
        "pharmacy",
        "admissions",
        "it",
        "privacy_office",
    ),
    "use_cases": (
        "chart_qa",
        "summarization",
        "coding",
        "triage",
        "patient_message",
        "guideline_qa",
    ),
    "components": ("assistant", "gateway", "ehr", "batch"),
    "facilities": ("main",),
    "destinations": ("patient_portal", "external_provider", "payer"),
    "tools": ("search", "fhir_read"),
    "models": ("extractive-demo",),
    "providers": ("local", "openai", "azure", "anthropic"),
    "rollouts": ("stable", "canary"),
    "phi_fields": (
        "name",
        "birth_date",
        "address",
        "phone",
        "email",
        "ssn",
        "mrn",
        "diagnosis",
        "medication",
        "allergy",
        "lab_result",
        "note_text",
    ),
    "reason_codes": ("policy_denied", "not_on_care_team", "timeout"),
    "detectors": (),
}
assert set(STARTER_VOCABULARY) == set(FIELDS_OF_LIST)  # noqa: S101 - a table of this file


def read_tenant(directory: Path) -> Tenant:
    """Read tenant.yaml.

    Raises:
        ConfigError: missing, or names the key that is wrong.
    """
    tenant = _read(directory / TENANT_FILE, Tenant)
    for number, name in enumerate(tenant.vocabulary, start=1):
        if name not in FIELDS_OF_LIST:
            raise ConfigError(
                f"{directory / TENANT_FILE}: list number {number} of the vocabulary is "
                f"none of ours; lists: {', '.join(FIELDS_OF_LIST)}"
            )
    try:
        check_zones(tenant.facility_zones)
    except InputError as error:
        raise ConfigError(f"{directory / TENANT_FILE}: {error}") from None
    return tenant


def read_policy(directory: Path) -> Policy:
    """Read policy.yaml.

    Raises:
        ConfigError: missing, or names the key that is wrong.
    """
    place = directory / POLICY_FILE
    plain = _read_yaml(place)
    if isinstance(plain, dict) and isinstance(plain.get("guard"), dict):
        _check_guard(plain["guard"], str(place))
    return _convert(plain, Policy, str(place))


def _check_guard(section: dict[str, object], where: str) -> None:
    """Refuse a section that does not fit, by its own keys."""
    known = {field.name for field in msgspec.structs.fields(GuardPolicy)}
    try:
        policy_of({key: value for key, value in section.items() if key in known})
    except InputError as error:
        raise ConfigError(f"{where}: {error}") from None
    _convert(section, GuardSection, f"{where}: guard")


def read_anchors(directory: Path) -> tuple[AnchorSettings, ...]:
    """Read anchors.yaml; nothing where there is none.

    Raises:
        ConfigError: names the anchor, by its place in the list, and the key that is wrong.
    """
    place = directory / ANCHORS_FILE
    if not place.exists():
        return ()
    plain = _read_yaml(place)
    if not isinstance(plain, dict) or set(plain) != {"anchors"}:
        raise ConfigError(f"{place}: must hold one key, anchors")
    if not isinstance(plain["anchors"], list):
        raise ConfigError(f"{place}: anchors must be a list")
    anchors = tuple(
        _read_anchor(one, f"{place}: anchor number {number}")
        for number, one in enumerate(plain["anchors"], start=1)
    )
    if len({anchor.name for anchor in anchors}) < len(anchors):
        raise ConfigError(f"{place}: two anchors have one name; give each its own")
    return anchors


def anchor_of(plain: dict[str, object]) -> AnchorSettings:
    """Make the settings of one anchor out of what somebody said of it.

    Raises:
        InputError: names the key that is missing or wrong.
    """
    try:
        return _read_anchor(plain, "this anchor")
    except ConfigError as error:
        raise InputError(str(error)) from None


def _read_anchor(plain: object, where: str) -> AnchorSettings:
    kinds = {kind.__struct_config__.tag: kind for kind in get_args(AnchorSettings)}
    kind = plain.get("kind") if isinstance(plain, dict) else None
    if not isinstance(plain, dict) or not isinstance(kind, str) or kind not in kinds:
        raise ConfigError(f"{where}: kind must be one of {', '.join(map(str, kinds))}")
    rest = {key: value for key, value in plain.items() if key != "kind"}
    anchor: AnchorSettings = _convert(rest, kinds[kind], where)
    if anchor.within_s is not None and anchor.within_s <= anchor.every_s:
        raise ConfigError(
            f"{where}: within_s must be more than every_s, or it is always late"
        )
    return anchor


def print_anchors(anchors: Sequence[AnchorSettings]) -> bytes:
    """Write what anchors.yaml holds of these anchors; defaults are left out."""
    plain = {"anchors": [_without_defaults(anchor) for anchor in anchors]}
    text = str(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True))
    head = "# Who holds checkpoints off this host; docs/anchors.md explains each.\n"
    return (head + text).encode()


def write_anchors(directory: Path, anchors: Sequence[AnchorSettings]) -> None:
    """Write anchors.yaml; durable on return.

    Raises:
        StorageError: the old file stands.
    """
    DurableFiles(directory).put_many({ANCHORS_FILE: print_anchors(anchors)})


def read_sources(directory: Path) -> tuple[RegisteredSource, ...]:
    """Read sources.yaml; nothing where there is none.

    Raises:
        ConfigError: a source or key in it is wrong, or two have one name.
    """
    place = directory / SOURCES_FILE
    if not place.exists():
        return ()
    sources = _read(place, _Sources).sources
    if len({one.source for one in sources}) < len(sources):
        raise ConfigError(f"{place}: two sources have one name; give each its own")
    return sources


def write_sources(directory: Path, sources: Sequence[RegisteredSource]) -> bytes:
    """Write sources.yaml; durable on return, which gives its bytes.

    Raises:
        StorageError: the old file stands.
    """
    head = "# Which systems number what they record; `phitrail source add` adds one.\n"
    data = (head + _yaml(_Sources(sources=tuple(sources)))).encode()
    DurableFiles(directory).put_many({SOURCES_FILE: data})
    return data


def _without_defaults(anchor: AnchorSettings) -> dict[str, object]:
    """Give what is said of an anchor, and leave out what is so for every one."""
    plain = msgspec.to_builtins(anchor)
    defaults = {
        field.name: field.default
        for field in msgspec.structs.fields(anchor)
        if field.default is not msgspec.NODEFAULT
    }
    return {
        name: value
        for name, value in plain.items()
        if name not in defaults or getattr(anchor, name) != defaults[name]
    }


def write_config(directory: Path, tenant: Tenant, policy: Policy) -> None:
    """Write both files as `init` does.

    Raises:
        StorageError: a file cannot be written.
    """
    try:
        _write(
            directory / TENANT_FILE,
            "# Who we are and which terms we use. A term that is not listed is refused.\n"
            + _yaml(tenant),
        )
        _write(
            directory / POLICY_FILE,
            "# Numbers and defaults; docs/configuration.md explains each.\n"
            + _yaml(policy, leave_out=_sections_by_default(policy)),
        )
    except OSError as error:
        raise StorageError(f"cannot write {directory}: {error.strerror}") from error


def _write(place: Path, text: str) -> None:
    handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)


def _sections_by_default(policy: Policy) -> tuple[str, ...]:
    """Name the sections that say nothing but what is so without them."""
    by_default = {
        "keys": KeysSection(),
        "detect": DetectSection(),
        "overdue": OverdueSection(),
        "quality": QualitySection(),
    }
    return tuple(
        name for name, section in by_default.items() if getattr(policy, name) == section
    )


def _yaml(struct: msgspec.Struct, leave_out: Sequence[str] = ()) -> str:
    plain = {
        key: value
        for key, value in msgspec.to_builtins(struct).items()
        if value is not None and key not in leave_out
    }
    return str(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True))


def _read(place: Path, kind: type[StructT]) -> StructT:
    return _convert(_read_yaml(place), kind, str(place))


def _convert(plain: object, kind: type[StructT], where: str) -> StructT:
    """Convert what a file holds; what a library says of it quotes it, so it stays here."""
    if not isinstance(plain, dict):
        raise ConfigError(f"{where}: must hold keys and values")
    types = {field.name: field.type for field in msgspec.structs.fields(kind)}
    for number, (key, value) in enumerate(plain.items(), start=1):
        if key not in types:
            raise ConfigError(
                f"{where}: unknown key number {number}; known: " + ", ".join(types)
            )
        if not _fits(value, types[key]):
            raise ConfigError(
                f"{where}: {key} does not fit its rule; see docs/configuration.md"
            )
    with suppress(msgspec.ValidationError):
        return msgspec.convert(plain, kind)
    raise ConfigError(f"{where}: a required key is missing")


def _read_yaml(place: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    line = ""
    try:
        return yaml.safe_load(place.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"there is no {place}; run `phitrail init`, or point --trail at a trail"
        ) from None
    except OSError as error:
        raise ConfigError(f"cannot read {place}: {error.strerror}") from None
    except UnicodeDecodeError:
        rule = "not UTF-8"
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        rule = "not YAML"
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark is not None else ""
    raise ConfigError(f"{place}{line}: {rule}; correct it")


def _fits(value: object, wanted: Any) -> bool:  # noqa: ANN401 - a type expression
    with suppress(msgspec.ValidationError):
        msgspec.convert(value, wanted)
        return True
    return False
