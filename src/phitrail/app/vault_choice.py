"""Which vault somebody chooses: read from a file of its own, and put into policy.yaml.

The file holds what stands under `keys.vault` in policy.yaml. Putting it there leaves every
other line of policy.yaml as it was, comments too; within the section `keys` what else was set
stays set.
"""

from contextlib import suppress
from pathlib import Path

import msgspec
import yaml

from phitrail.app.config import POLICY_FILE, Policy
from phitrail.errors import ConfigError, InputError
from phitrail.keys.settings import VaultSettings

_SECTION = "keys"


def read_vault_file(place: Path) -> VaultSettings:
    """Read the settings of a vault.

    Raises:
        InputError: the file cannot be read, or does not say which vault.
    """
    plain: object = None
    try:
        plain = yaml.safe_load(place.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError.for_field(
            "--vault", f"{place} cannot be read ({error.strerror})"
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError):
        pass  # what a library says of the file could quote it
    with suppress(msgspec.ValidationError):
        settings: VaultSettings = msgspec.convert(plain, VaultSettings)
        return settings
    raise InputError.for_field(
        "--vault",
        f"{place} must hold what stands under `keys.vault` in policy.yaml: a kind, and "
        "the settings of that kind (docs/configuration.md)",
    )


def policy_with_vault(data: bytes, settings: VaultSettings) -> bytes:
    """Return policy.yaml with another vault in it, and all else as it was.

    Raises:
        ConfigError: the file is none that this could change.
    """
    text = data.decode()
    plain = yaml.safe_load(text)
    section = {**(plain.get(_SECTION) or {}), "vault": _without_defaults(settings)}
    written = str(
        yaml.safe_dump({_SECTION: section}, sort_keys=False, allow_unicode=True)
    )
    lines = text.splitlines(keepends=True)
    first, end = _place_of_section(lines)
    changed = "".join([*_ended(lines[:first]), written, *lines[end:]])
    wanted = _policy({**plain, _SECTION: section})
    if not _is_said_once(changed) or _policy(yaml.safe_load(changed)) != wanted:
        raise ConfigError(
            f"{POLICY_FILE}: its section `{_SECTION}` cannot be changed as it is written; "
            "put the settings of the vault there by hand, then run it again"
        )
    return changed.encode()


def _place_of_section(lines: list[str]) -> tuple[int, int]:
    """Say which lines are the section; the end of the file where there is none."""
    for first, line in enumerate(lines):
        if line.startswith(f"{_SECTION}:"):
            end = first + 1
            for at, below in enumerate(lines[first + 1 :], start=first + 1):
                if below[0] not in " \t\r\n":
                    break
                if below.strip():
                    end = at + 1
            return first, end
    return len(lines), len(lines)


def _is_said_once(text: str) -> bool:
    """Say whether the section stands there once: YAML lets the second one win."""
    node = yaml.compose(text)
    if not isinstance(node, yaml.MappingNode):
        return False
    return [key.value for key, _ in node.value].count(_SECTION) == 1


def _ended(lines: list[str]) -> list[str]:
    """End the last line, where a file does not."""
    if lines and not lines[-1].endswith("\n"):
        return [*lines[:-1], lines[-1] + "\n"]
    return lines


def _without_defaults(settings: VaultSettings) -> dict[str, object]:
    plain = msgspec.to_builtins(settings)
    defaults = {field.name: field.default for field in msgspec.structs.fields(settings)}
    return {
        name: value
        for name, value in plain.items()
        if name not in defaults or value != defaults[name]
    }


def _policy(plain: object) -> Policy | None:
    with suppress(msgspec.ValidationError):
        return msgspec.convert(plain, Policy)
    return None
