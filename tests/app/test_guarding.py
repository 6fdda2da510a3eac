"""The guard is loaded where the policy asks for one, and the policy is read strictly."""

from hashlib import sha256
from pathlib import Path

import pytest
from tests.sdk.guarded import StandIn, guard_on
from tests.trails import NOW

from phitrail.app.config import (
    GuardSection,
    Policy,
    read_policy,
    read_tenant,
    write_config,
)
from phitrail.app.guarding import open_guarding
from phitrail.app.key_wiring import KEYS
from phitrail.app.wiring import open_trail
from phitrail.capture.guarding import AccessRecords, Guarding
from phitrail.errors import ConfigError
from phitrail.guard import tagger
from phitrail.keys.ring import KeyRing
from phitrail.sdk import connect


def opened(trail_dir: Path) -> object:
    """Open the guard of a trail."""
    keys = KeyRing.load(trail_dir / KEYS)
    return open_guarding(read_tenant(trail_dir), read_policy(trail_dir), keys)


def with_section(trail_dir: Path, section: str) -> Path:
    """Write a section `guard`."""
    place = trail_dir / "policy.yaml"
    text = place.read_text(encoding="utf-8")
    place.write_text(f"{text}guard: {section}\n", encoding="utf-8")
    return trail_dir


@pytest.mark.parametrize("section", ["null", "{mode: 'off'}"])
def test_without_a_section_or_with_off_there_is_no_guard(
    trail_dir: Path, section: str
) -> None:
    """Trails from before the guard must not begin to redact."""
    assert opened(trail_dir) is None
    assert opened(with_section(trail_dir, section)) is None
    with_aliases = open_trail(trail_dir)
    with_aliases.close()

    assert with_aliases.aliases is None


def test_a_section_alone_enforces(trail_dir: Path) -> None:
    """Whoever writes a policy means it."""
    policy = read_policy(with_section(trail_dir, "{}"))

    assert policy.guard == GuardSection(mode="enforce")
    assert policy.has_guard


def test_the_parts_follow_the_policy(
    trail_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mode that is read wrong would release what it should hold."""
    guard_on(trail_dir, monkeypatch, "mode: observe, timeout_s: 5")
    guarding = opened(trail_dir)
    section = read_policy(trail_dir).guard

    assert isinstance(guarding, Guarding)
    assert section is not None
    assert isinstance(guarding.guard, StandIn)
    assert (guarding.is_watching, guarding.is_by_mrn) == (True, True)
    assert guarding.policy_digest == section.digest()
    assert guarding.policy_digest != GuardSection(timeout_s=5).digest()
    trail = open_trail(trail_dir)
    trail.close()
    assert trail.aliases is not None


def test_patients_that_are_not_named_by_mrn_are_not_taken_for_it(
    trail_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An internal id that looks like somebody's MRN would block the answer."""
    guard_on(trail_dir, monkeypatch)
    place = trail_dir / "tenant.yaml"
    place.write_text(
        place.read_text(encoding="utf-8").replace("patient: mrn", "patient: epi"),
        encoding="utf-8",
    )
    guarding = opened(trail_dir)

    assert isinstance(guarding, Guarding)
    assert not guarding.is_by_mrn
    known, aliases = guarding.known(
        AccessRecords(), [("p-1", "r-1", "Observation")], (), NOW
    )
    assert known.patients == {"p-1"}
    assert aliases == []


@pytest.mark.parametrize(
    ("section", "named"),
    [
        ("{mode: hard}", "mode"),
        ("{mode: enforce, nodes: 5}", "unknown key number 2"),
        ("{timeout_s: 0}", "timeout_s"),
        ("{threshold: 2}", "threshold"),
        ("[enforce]", "guard"),
        ("{class_actions: {Perpetua: {expected: block}}}", "class_actions"),
    ],
)
def test_a_section_that_is_wrong_is_named_and_not_quoted(
    trail_dir: Path, section: str, named: str
) -> None:
    """A typing error in a policy must not become another policy."""
    with pytest.raises(ConfigError, match=named) as caught:
        read_policy(with_section(trail_dir, section))

    assert "Perpetua" not in repr(caught.value)


def test_a_policy_that_is_written_is_read_again(tmp_path: Path, founded: Path) -> None:
    """`init` writes what the next command reads."""
    for guard in (None, GuardSection(mode="observe")):
        policy = Policy(guard=guard)
        write_config(tmp_path, read_tenant(founded), policy)

        assert read_policy(tmp_path) == policy
        assert ("guard" in (tmp_path / "policy.yaml").read_text()) is bool(guard)


def test_a_model_that_is_missing_is_said_when_the_trail_is_opened(
    trail_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A guard without its model would find no name, and nobody would know."""
    with_section(trail_dir, "{mode: enforce}")
    monkeypatch.setattr(tagger, "MODEL", tmp_path / "gone.npz")
    with pytest.raises(ConfigError, match="install phitrail again"):
        connect(trail_dir)
    monkeypatch.undo()
    guarding = opened(trail_dir)

    assert isinstance(guarding, Guarding)
    assert guarding.detector.digest == sha256(tagger.MODEL.read_bytes()).hexdigest()
