"""docs/vaults.md names every setting of a vault, and what it shows can be used as it stands."""

import msgspec
import pytest
import yaml
from tests.docs.pages import DOCS, blocks

from phitrail.keys.settings import (
    AwsKmsSettings,
    KeysSection,
    OpenBaoSettings,
    VaultSettings,
)

PAGE = DOCS / "vaults.md"


@pytest.mark.parametrize("settings", [OpenBaoSettings, AwsKmsSettings])
def test_every_setting_of_a_vault_is_on_the_page(
    settings: type[msgspec.Struct],
) -> None:
    """A setting that nobody knows of is left as it was."""
    page = PAGE.read_text(encoding="utf-8")
    names = [field.name for field in msgspec.structs.fields(settings)]

    assert [name for name in names if name not in page] == []


def test_every_file_on_the_page_is_read_as_it_stands() -> None:
    """Whoever copies an example must not be refused."""
    for text in blocks(PAGE, "yaml"):
        plain = yaml.safe_load(text)
        if "keys" in plain:
            msgspec.convert(plain["keys"], KeysSection)
        else:
            msgspec.convert(plain, VaultSettings)
