"""The section `keys` of policy.yaml: the vault, and how long keys are used and kept.

A name that no key has is refused when the file is read: a hold that is spelled wrong would
hold nothing. No secret stands here: a credential is named by the file that holds it. Nothing
is read from the environment.
"""

from typing import Annotated, TypeAlias

import msgspec

from phitrail.errors import InputError
from phitrail.keys.names import parse_key_id
from phitrail.keys.policies import PolicyOverride, check_overrides

Seconds = Annotated[float, msgspec.Meta(gt=0, le=3_600)]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
Label = Annotated[str, msgspec.Meta(pattern="^[a-z0-9][a-z0-9-]{0,63}$")]


class LocalVaultSettings(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="kind",
    tag="local",
):
    """The local sealed keyring; `directory` holds the wrapping key, by default `keys/`."""

    directory: Text | None = None


class OpenBaoSettings(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="kind",
    tag="openbao",
):
    """The transit engine of OpenBao or HashiCorp Vault.

    Either `token_file`, or `role_id_file` and `secret_id_file` (AppRole). `key` begins the
    names of the keys that are made in the engine.
    """

    url: Text
    key: Label = "phitrail"
    mount: Text = "transit"
    namespace: Text | None = None
    token_file: Text | None = None
    role_id_file: Text | None = None
    secret_id_file: Text | None = None
    approle_mount: Text = "approle"
    ca_file: Text | None = None
    plain_http: bool = False
    timeout_s: Seconds = 5.0
    unwrap_cache_s: Seconds = 300.0


class AwsKmsSettings(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="kind",
    tag="aws-kms",
):
    """AWS KMS; `key` is the id, alias or ARN of the symmetric key that wraps.

    Credentials come from `credentials_file` (the form of the AWS tools), or from the role
    of the machine where it is absent.
    """

    key: Text
    region: Text
    endpoint_url: Text | None = None
    credentials_file: Text | None = None
    credentials_profile: Text = "default"
    signing_alias: Label = "phitrail"
    timeout_s: Seconds = 5.0
    unwrap_cache_s: Seconds = 300.0


VaultSettings: TypeAlias = LocalVaultSettings | OpenBaoSettings | AwsKmsSettings


class KeysSection(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """The section `keys` of policy.yaml."""

    vault: VaultSettings = LocalVaultSettings()
    policies: dict[str, PolicyOverride] = {}
    notice_days: Annotated[int, msgspec.Meta(ge=0, le=365)] = 14
    held: tuple[Text, ...] = ()
    backups: tuple[Text, ...] = ()

    def __post_init__(self) -> None:
        """Refuse names that no key has."""
        is_known = True
        try:
            check_overrides(self.policies)
            for written in self.held:
                parse_key_id(written)
        except InputError:
            is_known = False
        if not is_known:  # not in the `except`: what is shown names the section alone
            raise ValueError("keys.policies or keys.held names no key")
