"""tenant.yaml and policy.yaml: the tenant's own terms, and all numbers and defaults.

Both are read once, strictly: an unknown key is refused, an error names file and key and
never quotes a value. `tenant.yaml` says who we are and which terms we use; `policy.yaml`
holds numbers. Code holds neither.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import yaml

from phitrail.errors import ConfigError, StorageError
from phitrail.events.codes import Action
from phitrail.events.shapes import ModelName, TenantName, Term
from phitrail.events.vocabulary import FIELDS_OF_LIST, Vocabulary

TENANT_FILE = "tenant.yaml"
POLICY_FILE = "policy.yaml"

StructT = TypeVar("StructT", bound=msgspec.Struct)
Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]


class IdentitySystems(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """The identifier systems of patients, records and users."""

    patient: Term = "mrn"
    record: Term = "ehr"
    user: Term = "workforce"


class Tenant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """tenant.yaml."""

    tenant: TenantName
    identity: IdentitySystems = IdentitySystems()
    vocabulary: dict[str, tuple[ModelName, ...]] = {}
    actions: dict[Term, Action] = {}

    def terms(self) -> Vocabulary:
        """Return the vocabulary of the tenant."""
        return Vocabulary.from_lists(
            {name: frozenset(terms) for name, terms in self.vocabulary.items()},
            source=TENANT_FILE,
        )


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """policy.yaml."""

    publish_interval_s: Seconds = 1.0
    identity_lookups_per_hour: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 60
    tables_need_encrypted_volume: bool = False


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
    return tenant


def read_policy(directory: Path) -> Policy:
    """Read policy.yaml.

    Raises:
        ConfigError: missing, or names the key that is wrong.
    """
    return _read(directory / POLICY_FILE, Policy)


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
            + _yaml(policy),
        )
    except OSError as error:
        raise StorageError(f"cannot write {directory}: {error.strerror}") from error


def _write(place: Path, text: str) -> None:
    handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)


def _yaml(struct: msgspec.Struct) -> str:
    plain = msgspec.to_builtins(struct)
    return str(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True))


def _read(place: Path, kind: type[StructT]) -> StructT:
    """Read one file; what a library says of it quotes it, and never goes along."""
    plain = _read_yaml(place)
    if not isinstance(plain, dict):
        raise ConfigError(f"{place}: must hold keys and values")
    types = {field.name: field.type for field in msgspec.structs.fields(kind)}
    for number, (key, value) in enumerate(plain.items(), start=1):
        if key not in types:
            raise ConfigError(
                f"{place}: unknown key number {number}; known: " + ", ".join(types)
            )
        if not _fits(value, types[key]):
            raise ConfigError(
                f"{place}: {key} does not fit its rule; see docs/configuration.md"
            )
    with suppress(msgspec.ValidationError):
        return msgspec.convert(plain, kind)
    raise ConfigError(f"{place}: a required key is missing")


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
