"""docs/configuration.md knows every key, list, limit and default."""

from pathlib import Path
from typing import get_args

import msgspec
import pytest
from tests.docs.pages import DOCS, blocks, first_cells

from phitrail.anchor.settings import AnchorSettings
from phitrail.app.config import (
    DetectSection,
    GuardSection,
    IdentitySystems,
    OverdueSection,
    Policy,
    QualitySection,
    RegisteredSource,
    Tenant,
    read_policy,
    read_tenant,
    write_config,
)
from phitrail.events.vocabulary import FIELDS_OF_LIST
from phitrail.keys.policies import PolicyOverride
from phitrail.keys.settings import KeysSection, LocalVaultSettings
from phitrail.sdk.connect import SOURCE_VARIABLE, SPOOL_VARIABLE, TRAIL_VARIABLE
from phitrail.sdk.promise_store import RECEIPTS_VARIABLE

PAGE = DOCS / "configuration.md"


def test_every_key_of_tenant_yaml_is_on_the_page() -> None:
    """A key that is not explained is left as it was."""
    keys = {field.name for field in msgspec.structs.fields(Tenant)} - {"identity"}
    systems = {f"identity.{f.name}" for f in msgspec.structs.fields(IdentitySystems)}

    assert keys | systems == set(first_cells(PAGE, "## tenant.yaml")[1:])


def test_every_key_of_policy_yaml_is_on_the_page_with_its_default() -> None:
    """A default that the page gets wrong is a decision that nobody took."""
    page = PAGE.read_text(encoding="utf-8")
    fields = msgspec.structs.fields(Policy)
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    by_key = {row.split("`")[1]: row for row in rows}

    assert [f.name for f in fields] == first_cells(PAGE, "## policy.yaml")[1:]
    for field in fields:
        assert by_key[field.name].endswith(f"| {_written(field.default)} |")


def test_every_key_of_the_guard_is_on_the_page() -> None:
    """What is done with an answer must not depend on a key that nobody knows of."""
    keys = {field.name for field in msgspec.structs.fields(GuardSection)}

    assert keys == set(first_cells(PAGE, "### guard")[1:])


@pytest.mark.parametrize(
    ("name", "section_type"),
    [
        ("detect", DetectSection),
        ("quality", QualitySection),
        ("overdue", OverdueSection),
    ],
)
def test_every_key_of_detection_is_on_the_page_with_its_default(
    name: str, section_type: type[msgspec.Struct]
) -> None:
    """How late an event may be must not depend on a number that nobody knows of."""
    page = PAGE.read_text(encoding="utf-8")
    section = page.split(f"\n### {name}\n", 1)[1].split("\n### ", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    by_key = {row.split("`")[1]: row for row in rows}
    fields = msgspec.structs.fields(section_type)

    assert [field.name for field in fields] == list(by_key)
    for field in fields:
        assert by_key[field.name].endswith(f"| {_written(field.default)} |")


def test_every_key_of_the_keys_is_on_the_page_with_its_default() -> None:
    """How long a key lives must not depend on a line that nobody knows of."""
    page = PAGE.read_text(encoding="utf-8")
    section = page.split("\n### keys\n", 1)[1].split("\n### ", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    by_key = {row.split("`")[1]: row for row in rows}
    settings = KeysSection()
    defaults = {
        field.name: getattr(settings, field.name)
        for field in msgspec.structs.fields(KeysSection)
    }

    assert list(defaults) == list(by_key)
    for key, default in defaults.items():
        assert by_key[key].endswith(f"| {_written(default)} |")


def test_every_key_of_a_policy_of_keys_is_on_the_page() -> None:
    """What a house may change of the defaults stands in one place."""
    page = PAGE.read_text(encoding="utf-8")
    (row,) = [one for one in page.splitlines() if one.startswith("| `policies` |")]

    for field in msgspec.structs.fields(PolicyOverride):
        assert f"`{field.name}`" in row


def _written(default: object) -> str:
    if isinstance(default, KeysSection | LocalVaultSettings):
        return "the local keyring"
    if isinstance(default, DetectSection):
        return "on"
    if isinstance(default, OverdueSection | QualitySection):
        return "as below"
    if default in ({}, ()):
        return "none"
    if isinstance(default, str):
        return default
    if default is None or isinstance(default, bool):
        return str(default).lower()
    return f"{default:,}"


def test_every_key_of_anchors_yaml_is_on_the_page() -> None:
    """Whoever sets an anchor up by hand has nothing else to go by."""
    kinds = get_args(AnchorSettings)
    keys = {field.name for kind in kinds for field in msgspec.structs.fields(kind)}

    assert keys | {"kind"} == set(first_cells(PAGE, "## anchors.yaml")[1:])


def test_every_key_of_sources_yaml_is_on_the_page() -> None:
    """Whoever wonders what stands there must not have to read code."""
    keys = {field.name for field in msgspec.structs.fields(RegisteredSource)}

    assert keys == set(first_cells(PAGE, "## sources.yaml")[1:])


def test_every_list_of_the_vocabulary_is_on_the_page_with_its_fields() -> None:
    """Whoever is refused a term must find the list that it belongs to."""
    page = PAGE.read_text(encoding="utf-8")

    assert list(FIELDS_OF_LIST) == first_cells(PAGE, "### Lists of `vocabulary`")[1:]
    for name, fields in FIELDS_OF_LIST.items():
        assert f"| `{name}` | {', '.join(f'`{field}`' for field in fields)} |" in page


def test_the_example_is_one_that_is_read(tmp_path: Path) -> None:
    """An example that is refused teaches the wrong thing."""
    write_config(tmp_path, Tenant(tenant="other.example"), Policy())
    (example,) = blocks(PAGE, "yaml")
    (tmp_path / "tenant.yaml").write_text(example, encoding="utf-8")

    assert read_tenant(tmp_path).tenant == "hospital.example"
    assert read_policy(tmp_path) == Policy()


def test_the_variables_are_on_the_page() -> None:
    """An unknown variable that changes where records go would be a trap."""
    assert first_cells(PAGE, "## Environment")[1:] == [
        TRAIL_VARIABLE,
        RECEIPTS_VARIABLE,
        SOURCE_VARIABLE,
        SPOOL_VARIABLE,
    ]
