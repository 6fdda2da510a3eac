"""docs/keys.md says the policies that are in force, and shows one that is read."""

from pathlib import Path

import msgspec
import pytest
from tests.docs.pages import DOCS, blocks

from phitrail.app.config import read_policy
from phitrail.keys.policies import DEFAULTS, KeyPolicy, policy_for

PAGE = DOCS / "keys.md"


def _row(name: str, policy: KeyPolicy) -> tuple[str, ...]:
    def days(number: int | None, never: str) -> str:
        return never if number is None else f"{number:,}"

    return (
        f"`{name}`",
        days(policy.rotate_after_days, "never"),
        ", ".join(policy.rotate_on),
        policy.on_compromise,
        days(policy.retain_days, "for good"),
        policy.retain_what,
    )


def test_every_policy_is_on_the_page() -> None:
    """Whoever plans a year of rotations plans it from this table."""
    page = PAGE.read_text(encoding="utf-8")
    table = page.split("## How long keys", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in table.splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]

    assert [(row[0], *row[2:]) for row in cells] == [
        _row(name, policy) for name, policy in DEFAULTS.items()
    ]


def test_the_example_is_one_that_is_read(trail_dir: Path) -> None:
    """An example that is refused teaches the wrong thing."""
    (example,) = [one for one in blocks(PAGE, "yaml") if "policies" in one]
    with (trail_dir / "policy.yaml").open("a", encoding="utf-8") as file:
        file.write(example)
    keys = read_policy(trail_dir).keys

    assert keys.notice_days == 30
    assert policy_for("text-hash", keys.policies).rotate_after_days == 180
    assert policy_for("rbac-user.dr-0012", keys.policies).retain_days == 60


@pytest.mark.parametrize("name", sorted(DEFAULTS))
def test_every_source_of_a_policy_is_on_the_page(name: str) -> None:
    """A number without its source cannot be defended."""
    page = " ".join(PAGE.read_text(encoding="utf-8").split())
    sources = [
        one.split(":")[0].strip()
        for one in msgspec.to_builtins(DEFAULTS[name])["source"].split(";")
    ]

    for source in sources:
        if source.startswith("45 CFR"):
            assert source in page
