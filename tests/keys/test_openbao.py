"""OpenBao does what every vault does; what it refuses, and how it fails, is told apart.

Against the real server: raft storage, a file audit device, sealed by shares.
"""

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.keys.vault_contract import (
    CONTEXT,
    SECRET,
    RetiringContract,
    RotatingContract,
    SigningContract,
    WrappingContract,
    is_signed,
    wrap_one,
)
from tests.vaults import NEEDED, OpenBao, openbao, write_secret

from phitrail.app import clock
from phitrail.errors import ConfigError, IntegrityError, VaultError
from phitrail.keys.openbao import OpenBaoVault
from phitrail.keys.settings import OpenBaoSettings
from phitrail.keys.vault import ToWrap, Wrapped

pytestmark = pytest.mark.long
CANARY = b"canary-3f9a61d0-canary-3f9a61d0!"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """Give a real server, unsealed."""
    with openbao(tmp_path_factory.mktemp("openbao")) as running:
        yield running


@pytest.fixture
def settings(
    server: OpenBao, tmp_path: Path, request: pytest.FixtureRequest
) -> OpenBaoSettings:
    """Give the settings of a trail of its own, under the policy of the docs."""
    number = abs(hash(request.node.nodeid))
    return server.settings(f"t{number}", tmp_path / "token")


@pytest.fixture
def vault(settings: OpenBaoSettings, tmp_path: Path) -> Iterator[OpenBaoVault]:
    """Give a vault whose wrapping key was just made."""
    opened = OpenBaoVault(settings, tmp_path, clock.monotonic_us)
    opened.make_wrapping_key()
    yield opened
    opened.close()


def token_of(settings: OpenBaoSettings) -> str:
    """Read the token of a vault."""
    return Path(settings.token_file or "").read_text().strip()


def with_role(
    server: OpenBao, settings: OpenBaoSettings, place: Path, *, lasts: str = "1h"
) -> OpenBaoSettings:
    """Give the settings of the same keys under an AppRole."""
    role_id, secret_id = server.role(settings.key, lasts=lasts)
    return OpenBaoSettings(
        url=settings.url,
        key=settings.key,
        role_id_file=str(write_secret(place / "role_id", role_id)),
        secret_id_file=str(write_secret(place / "secret_id", secret_id)),
        timeout_s=20.0,
    )


class TestOpenBaoVault(
    WrappingContract, RotatingContract, RetiringContract, SigningContract
):
    """The contract of `keys.vault`, kept by a real OpenBao under the docs' policy."""


# --- what the engine keeps ---


def test_no_key_of_a_trail_can_be_exported(
    vault: OpenBaoVault, settings: OpenBaoSettings, server: OpenBao
) -> None:
    """A key that leaves the engine signs and unwraps where nobody sees it."""
    made = vault.make_signing_key("audit-promise-v1-0000aaaa", CONTEXT)
    names = [f"{settings.key}-wrapping", made.reference.rpartition(":")[2]]
    keys = [server.admin("GET", f"transit/keys/{name}")["data"] for name in names]

    assert [(one["exportable"], one["allow_plaintext_backup"]) for one in keys] == [
        (False, False)
    ] * 2


def test_a_destroyed_key_is_gone_from_the_engine(
    vault: OpenBaoVault, settings: OpenBaoSettings, server: OpenBao
) -> None:
    """A private half that was reported as destroyed must not be there."""
    made = vault.make_signing_key("audit-promise-v1-0000bbbb", CONTEXT)
    vault.destroy_signing_key(Wrapped(made.reference, CONTEXT))
    left = server.admin("LIST", "transit/keys")["data"]["keys"]

    assert [f"{settings.key}-wrapping"] == [
        one for one in left if one.startswith(f"{settings.key}-")
    ]


def test_a_key_that_somebody_rotated_signs_as_before(
    vault: OpenBaoVault, server: OpenBao
) -> None:
    """Another public half than the one in the log makes every signature worthless."""
    made = vault.make_signing_key("audit-promise-v1-0000cccc", CONTEXT)
    name = made.reference.rpartition(":")[2]
    server.admin("POST", f"transit/keys/{name}/rotate")
    signature = vault.sign(Wrapped(made.reference, CONTEXT), b"text")

    assert is_signed(made.public_key, signature, b"text")


def test_a_reference_to_the_wrapping_key_is_refused(
    vault: OpenBaoVault, settings: OpenBaoSettings
) -> None:
    """An altered key file must not make us delete what every secret is wrapped under."""
    for name in (f"{settings.key}-wrapping", "other-audit-promise-v1-0"):
        with pytest.raises(IntegrityError, match="not one of this trail's"):
            vault.destroy_signing_key(Wrapped(f"openbao:key:{name}", CONTEXT))


@pytest.mark.parametrize(
    "wrong", [{"exportable": True}, {"derived": False}, {"type": "chacha20-poly1305"}]
)
def test_a_wrapping_key_of_another_kind_is_refused(
    settings: OpenBaoSettings, server: OpenBao, tmp_path: Path, wrong: dict[str, object]
) -> None:
    """A key that can be exported, or binds no context, must not found a trail."""
    body = {"type": "aes256-gcm96", "derived": True} | wrong
    server.admin("POST", f"transit/keys/{settings.key}-wrapping", body)
    vault = OpenBaoVault(settings, tmp_path, clock.monotonic_us)

    with pytest.raises(ConfigError, match="must be aes256-gcm96, derived"):
        vault.make_wrapping_key()


def test_a_wrapping_key_is_never_made_by_wrapping(
    settings: OpenBaoSettings, tmp_path: Path
) -> None:
    """An engine that lost the key must not hand out another one under its name."""
    vault = OpenBaoVault(settings, tmp_path, clock.monotonic_us)

    with pytest.raises(VaultError):
        wrap_one(vault)
    with pytest.raises(VaultError, match="has no key"):
        vault.newest_wrapping_version()


# --- down, sealed, killed ---


def test_keys_outlive_a_kill_and_a_seal(vault: OpenBaoVault, server: OpenBao) -> None:
    """Killed and started again it is sealed; two other shares open it, and all is there."""
    wrapped = wrap_one(vault)
    made = vault.make_signing_key("audit-promise-v1-0000dddd", CONTEXT)
    reference = Wrapped(made.reference, CONTEXT)
    server.kill()
    try:
        with pytest.raises(VaultError, match="cannot be reached") as down:
            vault.unwrap([wrapped])
    finally:
        server.start()
    with pytest.raises(VaultError, match="is sealed") as sealed:
        vault.sign(reference, b"text")
    server.unseal(server.shares[-NEEDED:])

    assert vault.unwrap([wrapped]) == [SECRET]
    assert is_signed(made.public_key, vault.sign(reference, b"text"), b"text")
    assert (down.value.is_refusal, sealed.value.is_refusal) == (False, False)


def test_a_vault_that_is_sealed_is_asked_anew(
    vault: OpenBaoVault, server: OpenBao
) -> None:
    """Whoever seals it in an emergency stops us at once; unsealed, we go on."""
    wrapped = wrap_one(vault)
    server.seal()
    try:
        with pytest.raises(VaultError, match="is sealed"):
            vault.wrap([ToWrap(SECRET, CONTEXT)])
        with pytest.raises(VaultError, match="is sealed"):
            vault.unwrap([wrapped])
    finally:
        server.unseal(server.shares[:NEEDED])

    assert vault.unwrap([wrapped]) == [SECRET]


# --- refused ---


@pytest.mark.drill
def test_a_revoked_token_is_refused_at_once(
    vault: OpenBaoVault, settings: OpenBaoSettings, server: OpenBao
) -> None:
    """Revoking a stolen token must end its use with the next call, and a new one begins."""
    wrapped = wrap_one(vault)
    made = vault.make_signing_key("audit-promise-v1-0000eeee", CONTEXT)
    server.revoke(token_of(settings))
    refusals = []
    for ask in (
        lambda: vault.wrap([ToWrap(SECRET, CONTEXT)]),
        lambda: vault.unwrap([wrapped]),
        lambda: vault.rewrap([wrapped]),
        lambda: vault.sign(Wrapped(made.reference, CONTEXT), b"text"),
        vault.newest_wrapping_version,
    ):
        with pytest.raises(VaultError, match="refuses") as caught:
            ask()
        refusals.append(caught.value.is_refusal)
    write_secret(Path(settings.token_file or ""), server.token(settings.key))

    assert refusals == [True] * 5
    assert vault.unwrap([wrapped]) == [SECRET]


@pytest.mark.drill
def test_a_token_reaches_no_key_of_another_trail(
    vault: OpenBaoVault, settings: OpenBaoSettings, server: OpenBao, tmp_path: Path
) -> None:
    """Whoever takes one trail's token must not read or sign for another."""
    wrapped = wrap_one(vault)
    made = vault.make_signing_key("audit-promise-v1-0000ffff", CONTEXT)
    write_secret(tmp_path / "theirs", server.token(f"not-{settings.key}"))
    theirs = OpenBaoVault(
        OpenBaoSettings(
            url=settings.url, key=settings.key, token_file=str(tmp_path / "theirs")
        ),
        tmp_path,
        clock.monotonic_us,
    )

    for ask in (
        lambda: theirs.wrap([ToWrap(SECRET, CONTEXT)]),
        lambda: theirs.unwrap([wrapped]),
        lambda: theirs.sign(Wrapped(made.reference, CONTEXT), b"text"),
        lambda: theirs.destroy_signing_key(Wrapped(made.reference, CONTEXT)),
        lambda: theirs.rotate_wrapping_key("2026-11-22T12:00:00.000Z"),
    ):
        with pytest.raises(VaultError, match="refuses") as caught:
            ask()
        assert caught.value.is_refusal


@pytest.mark.drill
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "keys/{}-wrapping/config", {"exportable": True}),
        ("POST", "keys/{}-wrapping/config", {"deletion_allowed": True}),
        ("POST", "keys/{}-wrapping/config", {"allow_plaintext_backup": True}),
        ("POST", "keys/{}-wrapping/soft-delete", {}),
        ("DELETE", "keys/{}-wrapping", None),
        ("GET", "backup/{}-wrapping", None),
        ("GET", "export/encryption-key/{}-wrapping", None),
        ("POST", "keys/{}-audit-promise-v1-00abcdef", {"type": "rsa-2048"}),
        (
            "POST",
            "keys/{}-audit-promise-v1-00abcdef/config",
            {"exportable": True},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_the_policy_of_the_docs_admits_no_way_out(
    vault: OpenBaoVault,
    settings: OpenBaoSettings,
    method: str,
    path: str,
    body: dict[str, object] | None,
) -> None:
    """A stolen token must not take a key along, or destroy what all is wrapped under."""
    vault.make_signing_key("audit-promise-v1-00abcdef", CONTEXT)

    with pytest.raises(VaultError, match="refuses"):
        vault._calls.call(method, path.format(settings.key), body)


# --- an AppRole ---


def test_a_role_logs_in_anew_when_its_token_is_gone(
    vault: OpenBaoVault, settings: OpenBaoSettings, server: OpenBao, tmp_path: Path
) -> None:
    """A token of an hour must not stop a process that runs for a month."""
    wrapped = wrap_one(vault)
    elapsed = [0]
    role = OpenBaoVault(
        with_role(server, settings, tmp_path), tmp_path, lambda: elapsed[0]
    )
    first = role.unwrap([wrapped])
    token = role._calls._login.adapter.token  # type: ignore[union-attr]  # logged in
    server.revoke(token)
    with pytest.raises(VaultError, match="refuses"):
        role.unwrap([wrapped])  # it logged in just now: not time and again
    elapsed[0] += 11_000_000
    again = role.unwrap([wrapped])

    assert [SECRET] == first == again


def test_a_role_logs_in_before_its_token_lapses(
    vault: OpenBaoVault, settings: OpenBaoSettings, server: OpenBao, tmp_path: Path
) -> None:
    """A refusal in the vault's log must mean something: no lapsed token is ever sent."""
    wrapped = wrap_one(vault)
    elapsed = [0]
    role = OpenBaoVault(
        with_role(server, settings, tmp_path, lasts="100s"),
        tmp_path,
        lambda: elapsed[0],
    )
    tokens = []
    for seconds in (0, 74, 76):
        elapsed[0] = seconds * 1_000_000
        role.unwrap([wrapped])
        tokens.append(role._calls._login.adapter.token)  # type: ignore[union-attr]  # logged in

    assert tokens[0] == tokens[1] != tokens[2]


@pytest.mark.drill
def test_a_role_that_is_gone_is_refused(
    vault: OpenBaoVault, settings: OpenBaoSettings, server: OpenBao, tmp_path: Path
) -> None:
    """Taking the role away ends what its host may do."""
    wrapped = wrap_one(vault)
    elapsed = [0]
    role = OpenBaoVault(
        with_role(server, settings, tmp_path), tmp_path, lambda: elapsed[0]
    )
    role.unwrap([wrapped])
    server.admin("DELETE", f"auth/approle/role/{settings.key}")
    server.revoke(role._calls._login.adapter.token)  # type: ignore[union-attr]  # logged in
    elapsed[0] += 11_000_000

    with pytest.raises(VaultError, match="refuses the role id") as caught:
        role.unwrap([wrapped])

    assert caught.value.is_refusal


# --- what is told, and to whom ---


def test_the_audit_log_of_the_vault_names_every_call(
    vault: OpenBaoVault, settings: OpenBaoSettings, server: OpenBao
) -> None:
    """What the vault tells of us is what an investigator has, and holds no secret."""
    (text,) = vault.wrap([ToWrap(CANARY, CONTEXT)])
    vault.unwrap([Wrapped(text, CONTEXT)])
    told = server.audit_log.read_text()
    paths = [
        json.loads(line)["request"]["path"]
        for line in told.splitlines()
        if json.loads(line)["type"] == "request"
    ]

    assert f"transit/encrypt/{settings.key}-wrapping" in paths
    assert f"transit/decrypt/{settings.key}-wrapping" in paths
    assert base64.b64encode(CANARY).decode() not in told
    assert token_of(settings) not in told


def test_no_failure_quotes_a_secret(
    vault: OpenBaoVault,
    settings: OpenBaoSettings,
    server: OpenBao,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A token or a key in a log line is lost; half a batch comes back in clear."""
    caplog.set_level("DEBUG")
    good = [Wrapped(text, CONTEXT) for text in vault.wrap([ToWrap(CANARY, CONTEXT)])]
    failures: list[BaseException] = []

    def fail(error: type[Exception]) -> None:
        with pytest.raises(error) as caught:
            vault.unwrap([*good, Wrapped(good[0].text, b"another context")])
        failures.append(caught.value)

    fail(IntegrityError)
    server.revoke(token_of(settings))
    fail(VaultError)
    secrets = [
        CANARY.decode(),
        base64.b64encode(CANARY).decode(),
        token_of(settings),
        good[0].text.rpartition(":")[2],
    ]
    said = caplog.text + "".join(
        repr(one) + repr(one.__cause__) + repr(one.__context__) for one in failures
    )

    assert [one for one in secrets if one in said] == []
    assert [
        reason for one in failures for reason in (one.__cause__, one.__context__)
    ] == [None] * 4


def test_many_threads_share_one_vault(vault: OpenBaoVault) -> None:
    """A recorder signs and unwraps from many threads at once."""
    made = vault.make_signing_key("audit-promise-v1-00001234", CONTEXT)
    reference = Wrapped(made.reference, CONTEXT)

    def sign(number: int) -> bool:
        data = number.to_bytes(4, "big")
        return is_signed(made.public_key, vault.sign(reference, data), data)

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(sign, range(200)))
