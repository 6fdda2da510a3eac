"""Another vault stands in policy.yaml, and every other line of it as it was."""

from pathlib import Path

import pytest

from phitrail.app.config import read_policy
from phitrail.app.vault_choice import policy_with_vault, read_vault_file
from phitrail.errors import ConfigError, InputError
from phitrail.keys.settings import LocalVaultSettings, OpenBaoSettings

CHOSEN = OpenBaoSettings(url="https://vault.clinic.example:8200", role_id_file="role")
WRITTEN = """keys:
  vault:
    kind: openbao
    url: https://vault.clinic.example:8200
    role_id_file: role
"""


def changed(text: str) -> str:
    """Put the vault into a policy."""
    return policy_with_vault(text.encode(), CHOSEN).decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("spool_age_s: 60.0\n", f"spool_age_s: 60.0\n{WRITTEN}"),
        ("spool_age_s: 60.0", f"spool_age_s: 60.0\n{WRITTEN}"),
        (
            "# ours\nkeys:\n  vault:\n    kind: local\n\n# next\nspool_age_s: 60.0\n",
            f"# ours\n{WRITTEN}\n# next\nspool_age_s: 60.0\n",
        ),
        (
            "keys:\n\n  # the old one\n  vault: {kind: local}\nspool_age_s: 60.0",
            f"{WRITTEN}spool_age_s: 60.0",
        ),
        ("keys: {vault: {kind: local}}\n", WRITTEN),
    ],
    ids=["absent", "no-end-of-line", "block", "comment", "flow"],
)
def test_one_section_is_changed_and_no_other_line(before: str, after: str) -> None:
    """An operator's numbers and remarks are worth more than our spelling of them."""
    assert after == changed(before)
    assert changed(after) == after


def test_what_else_the_section_says_stays(tmp_path: Path) -> None:
    """How long keys are kept is not for a change of vault to forget."""
    policies = "keys:\n  policies:\n    text-hash:\n      rotate_after_days: 90\n"
    (tmp_path / "policy.yaml").write_text(changed(policies))
    keys = read_policy(tmp_path).keys

    assert keys.vault == CHOSEN
    assert keys.policies["text-hash"].rotate_after_days == 90


def test_a_section_that_is_written_otherwise_is_left_to_its_owner() -> None:
    """A file that we would spoil is better changed by hand."""
    with pytest.raises(ConfigError, match="by hand"):
        changed('"keys": {vault: {kind: local}}\nspool_age_s: 60.0\n')


def test_a_vault_is_read_as_policy_yaml_says_it(tmp_path: Path) -> None:
    """People copy the section."""
    place = tmp_path / "vault.yaml"
    place.write_text("kind: local\ndirectory: ../disk\n")

    assert read_vault_file(place) == LocalVaultSettings(directory="../disk")


@pytest.mark.parametrize(
    "text",
    ["", "kind: floppy\n", "directory: x\n", "[", "kind: local\nsecret: hunter2"],
)
def test_what_names_no_vault_is_refused_without_a_word_of_it(
    tmp_path: Path, text: str
) -> None:
    """Somebody pastes a token where its file belongs."""
    place = tmp_path / "vault.yaml"
    place.write_text(text)
    with pytest.raises(InputError, match=r"keys\.vault") as caught:
        read_vault_file(place)

    assert "hunter2" not in str(caught.value)
    with pytest.raises(InputError, match="cannot be read"):
        read_vault_file(tmp_path / "none")
