"""AWS KMS wraps, rotates and signs as every vault; what AWS refuses is refused here.

Each test says which double of AWS it is played on (`tests.kms` says what each lies about).
"""

import base64
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.stub import Stubber
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from tests.keys.vault_contract import (
    RotatingContract,
    SigningContract,
    WrappingContract,
)
from tests.kms import (
    CREDENTIALS,
    REGION,
    Ministack,
    ministack,
    moto_kms,
    write_credentials,
)

from phitrail.errors import ConfigError, IntegrityError, VaultError
from phitrail.keys.aws_calls import AwsCalls
from phitrail.keys.aws_kms import MOST_SIGNED_BYTES, AwsKmsVault
from phitrail.keys.settings import AwsKmsSettings
from phitrail.keys.vault import ToWrap, Wrapped

CONTEXT = b"phitrail/key-file/v1|text-hash|1|mac"
SECRET = b"a secret of thirty-two bytes, so"
MOMENT = "2026-11-21T12:00:00.000Z"


def never(seconds: float) -> None:
    """Stand for a wait that must not come."""
    pytest.fail(f"waited {seconds} s")


@pytest.fixture
def moto() -> Iterator[Any]:
    """Give the administrator's client of moto."""
    with moto_kms() as admin:
        yield admin


@pytest.fixture
def moto_vault(moto: Any, tmp_path: Path) -> AwsKmsVault:
    """Give a vault on moto."""
    key = moto.create_key()["KeyMetadata"]["KeyId"]
    return AwsKmsVault(settings(tmp_path, key), tmp_path, pause=never)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ministack]:
    """Give a server of ministack."""
    with ministack(tmp_path_factory.mktemp("ministack")) as server:
        yield server


def settings(directory: Path, key: str, **more: Any) -> AwsKmsSettings:
    """Give settings without an endpoint: moto takes the calls of this process."""
    write_credentials(directory / "credentials")
    return AwsKmsSettings(
        key=key, region=REGION, credentials_file="credentials", **more
    )


class TestAwsKmsWraps(WrappingContract):
    """The contract of `keys.vault` for wrapping; moto authenticates."""

    @pytest.fixture
    def vault(self, moto_vault: AwsKmsVault) -> AwsKmsVault:
        """Give a vault on moto."""
        return moto_vault


@pytest.mark.long
class TestAwsKmsRotates(RotatingContract):
    """The contract of `keys.vault` for rotations; moto has them."""

    @pytest.fixture
    def vault(self, moto_vault: AwsKmsVault) -> AwsKmsVault:
        """Give a vault on moto."""
        return moto_vault


@pytest.mark.long
class TestAwsKmsSigns(SigningContract):
    """The contract of `keys.vault` for signing; ministack has Ed25519 keys."""

    @pytest.fixture
    def vault(self, stack: Ministack, tmp_path: Path) -> AwsKmsVault:
        """Give a vault on ministack."""
        return AwsKmsVault(stack.settings(_key(stack)), tmp_path)


# --- wrapping (moto: it authenticates ciphertext and context, and rotates) ---


@pytest.mark.parametrize(
    "text", ["", "local:v1:AAAA", "aws-kms:v0:AAAA", "aws-kms:v1:A", "aws-kms:v1:="]
)
def test_the_text_of_another_vault_is_refused(
    text: str, moto_vault: AwsKmsVault
) -> None:
    """What is no text of ours never goes to AWS. On moto."""
    with pytest.raises(IntegrityError, match="not that of AWS KMS"):
        moto_vault.unwrap([Wrapped(text, CONTEXT)])
    with pytest.raises(IntegrityError, match="not that of AWS KMS"):
        moto_vault.wrapping_version(text)


def test_a_rotation_by_schedule_counts(moto: Any, tmp_path: Path) -> None:
    """AWS may rotate without us: what is wrapped after it is of a newer version. On moto."""
    key = moto.create_key()["KeyMetadata"]["KeyId"]
    vault = AwsKmsVault(settings(tmp_path, key), tmp_path)
    for _ in range(3):
        moto.rotate_key_on_demand(KeyId=key)  # not through us

    assert vault.newest_wrapping_version() == 4
    assert vault.wrapping_version(vault.wrap([ToWrap(SECRET, CONTEXT)])[0]) == 4


def test_an_alias_names_the_wrapping_key(moto: Any, tmp_path: Path) -> None:
    """An alias is what people write, and rotations of AWS admit none. On moto."""
    key = moto.create_key()["KeyMetadata"]["KeyId"]
    moto.create_alias(AliasName="alias/phitrail-wrapping", TargetKeyId=key)
    vault = AwsKmsVault(settings(tmp_path, "alias/phitrail-wrapping"), tmp_path)

    assert vault.rotate_wrapping_key(MOMENT) == 2


def test_a_blob_of_another_kms_key_is_refused(moto: Any, tmp_path: Path) -> None:
    """Whoever may encrypt somewhere in the account could plant a key otherwise. On moto."""
    ours, theirs = (
        AwsKmsVault(
            settings(tmp_path, moto.create_key()["KeyMetadata"]["KeyId"]), tmp_path
        )
        for _ in range(2)
    )
    (text,) = theirs.wrap([ToWrap(SECRET, CONTEXT)])

    with pytest.raises(VaultError) as caught:
        ours.unwrap([Wrapped(text, CONTEXT)])

    assert caught.value.is_refusal


def test_versions_are_not_retired_and_the_error_says_what_to_do(
    moto_vault: AwsKmsVault,
) -> None:
    """AWS keeps them: to say otherwise would be a lie in the evidence. On moto."""
    with pytest.raises(VaultError, match="recover the keys of the trail") as caught:
        moto_vault.retire_wrapping_versions(2)

    assert caught.value.is_refusal


def test_cloudtrail_learns_which_key_and_no_more(moto_vault: AwsKmsVault) -> None:
    """The encryption context stands in clear in the log of AWS. On moto."""
    sent: list[Any] = []
    (text,) = moto_vault.wrap([ToWrap(SECRET, CONTEXT)])
    client = moto_vault._calls._client
    client.meta.events.register(
        "provide-client-params.kms.*", lambda params, **_: sent.append(params)
    )
    moto_vault.unwrap([Wrapped(text, CONTEXT)])

    encoded = base64.urlsafe_b64encode(CONTEXT).rstrip(b"=").decode()
    assert [{"phitrail": encoded}] == [one["EncryptionContext"] for one in sent]


# --- who we are ---


@pytest.mark.parametrize(
    "name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]
)
def test_credentials_of_the_environment_are_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They stand in every crash report of the host."""
    monkeypatch.setenv(name, "canary-of-a-credential")

    with pytest.raises(ConfigError, match=name) as caught:
        AwsKmsVault(settings(tmp_path, "k"), tmp_path)

    assert "canary" not in str(caught.value)


@pytest.mark.usefixtures("moto")
def test_credentials_that_others_may_read_are_refused(tmp_path: Path) -> None:
    """Whoever reads them unwraps every key of the trail."""
    vault = AwsKmsVault(settings(tmp_path, "k"), tmp_path)
    (tmp_path / "credentials").chmod(0o640)

    with pytest.raises(ConfigError, match="chmod 600"):
        vault.newest_wrapping_version()


@pytest.mark.usefixtures("moto")
@pytest.mark.parametrize(
    "text", ["", "[other]\naws_access_key_id = canary\n", "[default]\n", "canary = 1"]
)
def test_a_file_without_credentials_says_so(text: str, tmp_path: Path) -> None:
    """The operator must learn which file, and the error quotes nothing of it."""
    vault = AwsKmsVault(settings(tmp_path, "k"), tmp_path)
    write_credentials(tmp_path / "credentials", text)

    with pytest.raises(ConfigError) as caught:
        vault.newest_wrapping_version()

    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_replaced_credentials_are_taken_up(moto: Any, tmp_path: Path) -> None:
    """Credentials end; new ones must not need a restart. On moto."""
    key = moto.create_key()["KeyMetadata"]["KeyId"]
    vault = AwsKmsVault(settings(tmp_path, key), tmp_path)
    vault.newest_wrapping_version()
    used: list[str] = []

    write_credentials(tmp_path / "credentials", CREDENTIALS.replace("TEST", "NEWKEY"))
    vault.newest_wrapping_version()
    client = vault._calls._client
    used.append(client._request_signer._credentials.access_key)

    assert used == ["AKIANEWKEY"]


def test_without_a_file_only_roles_are_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Credentials in somebody's home are not the trail's."""
    home = tmp_path / "home"
    (home / ".aws").mkdir(parents=True)
    write_credentials(home / ".aws" / "credentials")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    calls = AwsCalls(AwsKmsSettings(key="k", region=REGION), tmp_path)

    with pytest.raises(VaultError, match="NoCredentialsError"):
        calls.call("describe_key", KeyId="k")


@pytest.mark.parametrize(
    "url", ["http://kms.example", "http://192.0.2.1:4566", "kms.example", "ftp://a/b"]
)
def test_plain_http_leaves_no_host(url: str, tmp_path: Path) -> None:
    """Encrypt carries the secret itself."""
    with pytest.raises(ConfigError, match="https"):
        AwsKmsVault(settings(tmp_path, "k", endpoint_url=url), tmp_path)


def test_a_region_that_is_none_is_refused(tmp_path: Path) -> None:
    """A typing error in policy.yaml must name its place."""
    write_credentials(tmp_path / "credentials")
    wrong = AwsKmsSettings(
        key="k", region="not a region", credentials_file="credentials"
    )

    with pytest.raises(ConfigError, match="region"):
        AwsKmsVault(wrong, tmp_path).newest_wrapping_version()


# --- what is shown ---


def test_no_secret_is_logged_even_when_everything_is(
    moto: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The library writes bodies of requests at DEBUG: secrets in a log file. On moto."""
    key = moto.create_key()["KeyMetadata"]["KeyId"]
    caplog.set_level(logging.DEBUG)
    vault = AwsKmsVault(settings(tmp_path, key), tmp_path)
    (text,) = vault.wrap([ToWrap(SECRET, CONTEXT)])
    vault.unwrap([Wrapped(text, CONTEXT)])
    written = base64.b64encode(SECRET).decode()

    assert written not in caplog.text
    assert SECRET.decode() not in caplog.text


@pytest.mark.usefixtures("moto")
def test_an_error_names_call_and_code_alone(tmp_path: Path) -> None:
    """The library's own errors carry whole answers. On moto."""
    vault = AwsKmsVault(settings(tmp_path, "alias/none"), tmp_path)

    with pytest.raises(
        VaultError, match="describe_key gave NotFoundException"
    ) as caught:
        vault.wrap([ToWrap(SECRET, CONTEXT)])

    assert caught.value.is_refusal
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


# --- states and signing keys (ministack: Ed25519, enforced states) ---


@pytest.mark.long
def test_a_signing_key_signs_inside_and_is_verified_outside(
    stack: Ministack, tmp_path: Path
) -> None:
    """A verifier never asks the vault. On ministack."""
    vault = AwsKmsVault(stack.settings(_key(stack)), tmp_path)
    made = vault.make_signing_key("audit-checkpoint-v1-0a", b"context")
    signature = vault.sign(Wrapped(made.reference, b"context"), b"message")

    Ed25519PublicKey.from_public_bytes(made.public_key).verify(signature, b"message")
    assert "alias/phitrail-audit-checkpoint-v1-0a" in _aliases(stack)


@pytest.mark.long
def test_two_signing_keys_never_share_a_label(stack: Ministack, tmp_path: Path) -> None:
    """A label that names two keys names none; the second key goes again. On ministack."""
    vault = AwsKmsVault(stack.settings(_key(stack)), tmp_path)
    vault.make_signing_key("twice", b"context")

    with pytest.raises(VaultError, match="AlreadyExistsException"):
        vault.make_signing_key("twice", b"context")

    admin = stack.admin
    states = [
        found["KeyState"]
        for one in admin.list_keys(Limit=1000)["Keys"]
        for found in [admin.describe_key(KeyId=one["KeyId"])["KeyMetadata"]]
        if found["Description"] == "phitrail phitrail twice"
    ]
    assert sorted(states) == ["Enabled", "PendingDeletion"]


@pytest.mark.long
def test_a_destroyed_signing_key_signs_no_more(
    stack: Ministack, tmp_path: Path
) -> None:
    """A thief of credentials must find nothing to sign with. On ministack."""
    vault = AwsKmsVault(stack.settings(_key(stack)), tmp_path)
    made = vault.make_signing_key("ends", b"context")
    key = Wrapped(made.reference, b"context")
    vault.destroy_signing_key(key)
    vault.destroy_signing_key(key)  # again, it changes nothing
    state = stack.admin.describe_key(KeyId=made.reference.removeprefix("aws-kms:key:"))

    with pytest.raises(VaultError) as caught:
        vault.sign(key, b"message")
    assert caught.value.is_refusal
    assert state["KeyMetadata"]["KeyState"] == "PendingDeletion"
    assert "alias/phitrail-ends" not in _aliases(stack)


@pytest.mark.long
def test_a_key_that_is_gone_is_destroyed(stack: Ministack, tmp_path: Path) -> None:
    """AWS forgets it after seven days; destroying it is still no error. On ministack."""
    vault = AwsKmsVault(stack.settings(_key(stack)), tmp_path)

    vault.destroy_signing_key(
        Wrapped("aws-kms:key:00000000-0000-0000-0000-000000000000", b"context")
    )


@pytest.mark.parametrize("reference", ["", "local:v1:AAAA", "aws-kms:key:alias/other"])
def test_the_reference_of_another_vault_is_refused(
    reference: str, moto_vault: AwsKmsVault
) -> None:
    """A reference must not name whatever key somebody writes into a file."""
    with pytest.raises(IntegrityError, match="not held by AWS KMS"):
        moto_vault.sign(Wrapped(reference, b"context"), b"message")
    with pytest.raises(IntegrityError, match="not held by AWS KMS"):
        moto_vault.destroy_signing_key(Wrapped(reference, b"context"))


def test_more_than_aws_signs_is_refused_here(moto_vault: AwsKmsVault) -> None:
    """Neither double knows the limit of AWS, so it is ours to keep: 4,096 bytes."""
    key = Wrapped("aws-kms:key:k", b"context")

    with pytest.raises(VaultError, match="4096 bytes at most"):
        moto_vault.sign(key, bytes(MOST_SIGNED_BYTES + 1))


@pytest.mark.long
@pytest.mark.parametrize("state", ["disabled", "pending deletion"])
def test_a_key_that_was_taken_away_is_refused_at_once(
    state: str, stack: Ministack, tmp_path: Path
) -> None:
    """Revocation must not wait for a cache. On ministack, as moto ignores states."""
    key, admin = _key(stack), stack.admin
    vault = AwsKmsVault(stack.settings(key), tmp_path)
    (text,) = vault.wrap([ToWrap(SECRET, CONTEXT)])
    if state == "disabled":
        admin.disable_key(KeyId=key)
    else:
        admin.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)

    for refused in (
        lambda: vault.unwrap([Wrapped(text, CONTEXT)]),
        lambda: vault.wrap([ToWrap(SECRET, CONTEXT)]),
        lambda: vault.rewrap([Wrapped(text, CONTEXT)]),
    ):
        with pytest.raises(VaultError) as caught:
            refused()
        assert caught.value.is_refusal


@pytest.mark.long
def test_an_endpoint_without_rotations_rewraps_and_stays_at_one(
    stack: Ministack, tmp_path: Path
) -> None:
    """What cannot rotate must not look as if it had. On ministack, without the calls."""
    vault = AwsKmsVault(stack.settings(_key(stack)), tmp_path)
    (text,) = vault.wrap([ToWrap(SECRET, CONTEXT)])
    (anew,) = vault.rewrap([Wrapped(text, CONTEXT)])

    assert text != anew
    assert vault.unwrap([Wrapped(anew, CONTEXT)]) == [SECRET]
    assert vault.newest_wrapping_version() == 1
    with pytest.raises(VaultError, match="rotate_key_on_demand"):
        vault.rotate_wrapping_key(MOMENT)


@pytest.mark.long
def test_a_vault_that_is_down_fails_closed_and_comes_back(tmp_path: Path) -> None:
    """No restart of ours after a restart of theirs. On ministack."""
    (tmp_path / "stack").mkdir()
    with ministack(tmp_path / "stack") as server:
        vault = AwsKmsVault(server.settings(_key(server)), tmp_path)
        (text,) = vault.wrap([ToWrap(SECRET, CONTEXT)])
        server.stop()

        with pytest.raises(VaultError, match="EndpointConnectionError") as caught:
            vault.unwrap([Wrapped(text, CONTEXT)])
        assert not caught.value.is_refusal

        server.start()
        assert vault.unwrap([Wrapped(text, CONTEXT)]) == [SECRET]


def _key(server: Ministack) -> str:
    return str(server.admin.create_key()["KeyMetadata"]["KeyId"])


def _aliases(server: Ministack) -> set[str]:
    return {one["AliasName"] for one in server.admin.list_aliases()["Aliases"]}


# --- what no double does: answers written after the documentation of AWS ---


def _page(count: int, marker: str | None = None) -> dict[str, Any]:
    entry = {"KeyId": "k", "RotationType": "ON_DEMAND"}
    page: dict[str, Any] = {"Rotations": [entry] * count, "Truncated": False}
    return page if marker is None else page | {"Truncated": True, "NextMarker": marker}


@pytest.fixture
def answers(tmp_path: Path) -> Iterator[tuple[AwsKmsVault, Stubber, list[float]]]:
    """Give a vault, what answers it in AWS's stead, and how long it waited."""
    waits: list[float] = []
    vault = AwsKmsVault(settings(tmp_path, "k"), tmp_path, pause=waits.append)
    vault._arn = "k"
    with Stubber(vault._calls._current_client()) as stub:
        yield vault, stub, waits


def test_rotations_are_counted_over_all_pages(
    answers: tuple[AwsKmsVault, Stubber, list[float]],
) -> None:
    """AWS gives a hundred at most; a version that is too low rewraps for ever."""
    vault, stub, _ = answers
    stub.add_response("list_key_rotations", _page(100, "next"), {"KeyId": "k"})
    stub.add_response("list_key_rotations", _page(3), {"KeyId": "k", "Marker": "next"})

    assert vault.newest_wrapping_version() == 104


def test_a_rotation_is_waited_for(
    answers: tuple[AwsKmsVault, Stubber, list[float]],
) -> None:
    """AWS rotates in the background: what is wrapped meanwhile is of the old version."""
    vault, stub, waits = answers
    stub.add_response("list_key_rotations", _page(0))
    stub.add_response("get_key_rotation_status", {"KeyRotationEnabled": False})
    stub.add_response("rotate_key_on_demand", {"KeyId": "k"})
    for count in (0, 0, 1):
        stub.add_response("list_key_rotations", _page(count))

    assert vault.rotate_wrapping_key(MOMENT) == 2
    assert len(waits) == 2


def test_a_rotation_that_is_on_its_way_is_not_begun_again(
    answers: tuple[AwsKmsVault, Stubber, list[float]],
) -> None:
    """AWS admits 25 for a key: one that took long must not cost two."""
    vault, stub, waits = answers
    begun = {"KeyRotationEnabled": False, "OnDemandRotationStartDate": 1_800_000_000}
    stub.add_response("list_key_rotations", _page(0))
    stub.add_response("get_key_rotation_status", begun)
    for _ in range(20):
        stub.add_response("list_key_rotations", _page(0))

    with pytest.raises(VaultError, match="run the same command again") as caught:
        vault.rotate_wrapping_key(MOMENT)
    assert not caught.value.is_refusal
    assert len(waits) == 19
    stub.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("code", "is_refusal"),
    [
        ("AccessDeniedException", True),
        ("ExpiredTokenException", True),
        ("LimitExceededException", True),
        ("ThrottlingException", False),
        ("KMSInternalException", False),
        ("DependencyTimeoutException", False),
        ("KeyUnavailableException", False),
    ],
)
def test_who_is_refused_is_told_from_who_is_not_answered(
    code: str,
    is_refusal: bool,
    answers: tuple[AwsKmsVault, Stubber, list[float]],
) -> None:
    """A refusal drops every secret at once; a busy minute of AWS must not."""
    vault, stub, _ = answers
    stub.add_client_error("decrypt", code, "canary of AWS's own words")

    with pytest.raises(VaultError, match=code) as caught:
        vault.unwrap([Wrapped("aws-kms:v1:AAAA", CONTEXT)])
    assert caught.value.is_refusal == is_refusal
    assert "canary" not in str(caught.value)
