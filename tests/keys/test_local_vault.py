"""The local sealed keyring does what every vault does."""

from pathlib import Path

import pytest
from tests.keys.vault_contract import (
    MOMENT,
    RetiringContract,
    RotatingContract,
    SigningContract,
    WrappingContract,
)

from phitrail.keys.local_vault import LocalVault


class TestLocalVault(
    WrappingContract, RotatingContract, RetiringContract, SigningContract
):
    """The contract of `keys.vault`, kept by files of this host."""

    forgets_with_the_file = True

    @pytest.fixture
    def vault(self, tmp_path: Path) -> LocalVault:
        """Give a keyring that was just made."""
        return LocalVault.create(tmp_path, created_at=MOMENT)
