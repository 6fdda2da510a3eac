"""A whole trail with its keys in a real OpenBao: at work, without it, refused, recovered."""

import base64
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from tests.app.trust import AUDIT, Kept
from tests.trails import NOW, TENANT, phi_read, plain_event, read_leaves
from tests.vaults import NEEDED, OpenBao, openbao, write_secret

from phitrail.app.config import read_policy
from phitrail.app.founding import found_trail
from phitrail.app.key_rewrap import retire_wrapping_key, rotate_wrapping_key
from phitrail.app.key_rotation import rotate_key
from phitrail.app.key_wiring import KEYS, current_register, open_ring
from phitrail.app.query import Question, ask
from phitrail.app.query_filter import Filter
from phitrail.app.running import PUBLISH_WITHIN_S, run_trail
from phitrail.app.tables import advance_tables
from phitrail.app.verification import verify_trail
from phitrail.app.wiring import open_trail
from phitrail.errors import StorageError, VaultError
from phitrail.events.unprotect import unprotect
from phitrail.keys.names import KeyId
from phitrail.keys.ring import KeyRing
from phitrail.keys.states import KeyState

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """Give a real server, unsealed."""
    with openbao(tmp_path_factory.mktemp("openbao")) as running:
        yield running


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    """Name the keys of a test's trail, so that no two tests share any."""
    return f"t{abs(hash(request.node.nodeid))}"


@pytest.fixture
def kept(server: OpenBao, key: str, tmp_path: Path) -> Kept:
    """Give a trail under a token of its own, and its recovery key."""
    return found(server, key, tmp_path)


def found(server: OpenBao, key: str, place: Path, **more: float) -> Kept:
    """Found a trail in the vault."""
    settings = server.settings(key, place / "token", **more)
    founded = found_trail(place / "trail", TENANT, NOW, vault=settings)
    return Kept(place / "trail", founded.recovery[0])


def token_of(kept: Kept) -> str:
    """Read the token that a trail calls its vault with."""
    return (kept.directory.parent / "token").read_text().strip()


def signs(public_key: str, note: bytes) -> bool:
    """Check a signed note by its specification alone (C2SP signed-note)."""
    body, _, signatures = note.partition(b"\n\n")
    data = base64.b64decode(signatures.split()[-1])[4:]
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key))
    key.verify(data, body + b"\n")
    return True


# --- at work ---


def test_a_trail_in_the_vault_records_answers_and_verifies(kept: Kept) -> None:
    """Everything that the log does goes through the vault, and nothing notices."""
    with run_trail(kept.directory) as running:
        running.parts.recorder.record_many([phi_read(n) for n in range(20)], NOW)
    with run_trail(kept.directory) as running:
        running.pipeline.publish_now(PUBLISH_WITHIN_S)
        advance_tables(running.parts, NOW)
        answer = ask(running.parts, Question(Filter()), by="officer-7", now=NOW)
        leaves = read_leaves(running.parts)

    assert len(leaves) >= 21
    assert answer.rows.num_rows >= 20
    assert not kept.verify(kept.checkpoint(), deep=True).findings


def test_every_file_is_held_by_the_vault_and_no_secret_stands_anywhere(
    kept: Kept, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever takes the disk, or the logs of this host, must need the vault to read them."""
    caplog.set_level("DEBUG")
    kept.grow(0, 5)
    ring = open_ring(kept.directory, read_policy(kept.directory))
    secrets = [token_of(kept).encode()]
    for one in ring.files().values():
        if one.public_key is None:
            plain = unprotect(ring.secret(one.name, one.version))
            secrets += [plain, base64.b64encode(plain), plain.hex().encode()]
    ring.close()
    files = [place for place in kept.directory.rglob("*") if place.is_file()]
    said = "".join((*capfd.readouterr(), caplog.text)).encode()

    assert len(secrets) > 20
    assert [place for place in files if _holds(place.read_bytes(), secrets)] == []
    assert not _holds(said, secrets)
    assert {"openbao"} == {one.vault for one in current_register(kept.directory).keys}


def _holds(data: bytes, secrets: list[bytes]) -> bool:
    return any(one in data for one in secrets)


def test_keys_rotate_and_the_vault_s_own_too(
    kept: Kept, server: OpenBao, key: str
) -> None:
    """What older versions sealed opens, and a retired version of the vault's is gone."""
    kept.grow(0, 5)
    with closing(open_trail(kept.directory)) as trail:
        asked = {"by": "officer-1", "reason": "a drill", "now": NOW}
        rotated = rotate_key(trail, "audit-seal", **asked)  # type: ignore[arg-type]  # one set of arguments
        wrapped = rotate_wrapping_key(trail, **asked)  # type: ignore[arg-type]  # the same
        gone = retire_wrapping_key(trail, **asked)  # type: ignore[arg-type]  # the same
    kept.grow(5, 10)
    engine = server.admin("GET", f"transit/keys/{key}-wrapping")["data"]

    assert rotated.after == KeyId("audit-seal", 2)
    assert (wrapped.after.version, gone) == (2, (KeyId("wrapping", 1),))
    assert engine["min_available_version"] == 2
    assert not kept.verify(kept.checkpoint(), deep=True).findings


def test_a_succession_signs_anew_and_ends_the_old_half_in_the_engine(
    kept: Kept, server: OpenBao, key: str
) -> None:
    """The half that signed must be gone from the vault, not from our files alone."""
    kept.grow(0, 3)
    before = set(signing_keys(server, key))
    kept.rotate()
    kept.grow(3, 6)
    after = set(signing_keys(server, key))
    ended = current_register(kept.directory).entry(KeyId("audit-checkpoint", 1))

    assert (len(before), len(before - after), len(after - before)) == (6, 2, 2)
    assert ended.state is KeyState.DEACTIVATED
    assert ended.private_destroyed_at is not None
    assert not kept.verify(kept.checkpoint()).findings


def signing_keys(server: OpenBao, key: str) -> dict[str, str]:
    """List the signing keys of a trail in the engine, and their public halves."""
    names = server.admin("LIST", "transit/keys")["data"]["keys"]
    return {
        name: server.admin("GET", f"transit/keys/{name}")["data"]["keys"]["1"][
            "public_key"
        ]
        for name in names
        if name.startswith(f"{key}-") and not name.endswith("-wrapping")
    }


def test_a_checkpoint_verifies_under_the_key_that_the_engine_exports(
    kept: Kept, server: OpenBao, key: str
) -> None:
    """An auditor with the public halves and `cryptography` needs neither us nor a vault."""
    kept.grow(0, 3)
    (public_key,) = [
        one
        for name, one in signing_keys(server, key).items()
        if "audit-checkpoint" in name
    ]

    assert signs(public_key, kept.checkpoint())


# --- without it ---


def test_without_its_vault_nothing_is_recorded_and_it_goes_on_afterwards(
    server: OpenBao, key: str, tmp_path: Path
) -> None:
    """Killed under our hands: no record without a signature, and no restart of ours."""
    kept = found(server, key, tmp_path)
    with run_trail(kept.directory) as running:
        recorder = running.parts.recorder
        recorder.record(phi_read(1), NOW)
        running.pipeline.publish_now(PUBLISH_WITHIN_S)
        note = kept.checkpoint()
        server.kill()
        try:
            with pytest.raises(StorageError, match="cannot be reached") as down:
                recorder.record(phi_read(2), NOW)
            whole = verify_trail(
                kept.directory, logs=(AUDIT,), outside=[("out", note)], with_keys=False
            )
            with pytest.raises(VaultError):
                open_trail(kept.directory)
        finally:
            server.start()
        with pytest.raises(VaultError, match="is sealed"):
            recorder.record(phi_read(2), NOW)
        server.unseal(server.shares[-NEEDED:])
        recorder.record(phi_read(2), NOW)
        running.pipeline.publish_now(PUBLISH_WITHIN_S)
        ids = [leaf.event_id for leaf in read_leaves(running.parts)]

    assert isinstance(down.value, VaultError)
    assert [ids.count(phi_read(n).event_id) for n in (1, 2)] == [1, 1]
    assert not whole.findings
    assert whole.verdict == "ok"
    assert not kept.verify(kept.checkpoint(), deep=True).findings


def test_what_is_acknowledged_while_the_vault_dies_is_there(
    server: OpenBao, key: str, tmp_path: Path
) -> None:
    """Writers at full speed and a kill -9: each event is acknowledged and kept, or neither."""
    kept = found(server, key, tmp_path)
    acknowledged: list[str | None] = []
    refused: list[BaseException] = []
    some = threading.Event()
    with closing(open_trail(kept.directory)) as trail:

        def write(numbers: range) -> None:
            for number in numbers:
                event = plain_event(number)
                try:
                    trail.recorder.record(event, NOW)
                except VaultError as error:
                    refused.append(error)
                    return
                acknowledged.append(event.event_id)
                if len(acknowledged) > 50:
                    some.set()

        writers = [
            threading.Thread(
                target=write, args=(range(n * 100_000, (n + 1) * 100_000),)
            )
            for n in range(4)
        ]
        for one in writers:
            one.start()
        assert some.wait(60)
        server.kill()
        for one in writers:
            one.join(60)
        server.start()
        server.unseal(server.shares[:NEEDED])
        trail.recorder.record(plain_event(999_999), NOW)
        ids = [leaf.event_id for leaf in read_leaves(trail)]

    assert len(refused) == 4
    assert set(acknowledged) <= set(ids)
    assert len(ids) == len(set(ids)) == len(acknowledged) + 2  # genesis, and the last


def test_cached_secrets_end_when_their_time_is_over(kept: Kept) -> None:
    """A vault that is down must not be outlived by what is in memory."""
    settings = read_policy(kept.directory).keys.vault
    vault = open_ring(kept.directory, read_policy(kept.directory)).vault
    elapsed = [0]
    ring = KeyRing.load(kept.directory / KEYS, vault, elapsed_us=lambda: elapsed[0])
    (kept.directory.parent / "token").rename(kept.directory.parent / "away")
    cache_us = int(settings.unwrap_cache_s * 1_000_000)  # type: ignore[union-attr]  # OpenBao's
    elapsed[0] = cache_us - 1
    still = ring.newest("rater")
    elapsed[0] = cache_us

    with pytest.raises(VaultError, match="credential"):
        ring.newest("rater")

    assert still[0] == 1


# --- refused ---


@pytest.mark.drill
def test_a_revoked_token_stops_the_next_record(
    kept: Kept, server: OpenBao, key: str
) -> None:
    """Whoever revokes it in an emergency must not wait for our cache of five minutes."""
    with closing(open_trail(kept.directory)) as trail:
        trail.recorder.record(phi_read(1), NOW)
        server.revoke(token_of(kept))
        with pytest.raises(VaultError, match="refuses") as caught:
            trail.recorder.record(phi_read(2), NOW)
        with pytest.raises(VaultError, match="refuses"):
            trail.keys.newest("audit-seal")  # dropped from memory
        write_secret(kept.directory.parent / "token", server.token(key))
        trail.recorder.record(phi_read(2), NOW)
        ids = [leaf.event_id for leaf in read_leaves(trail)]

    assert caught.value.is_refusal
    assert [ids.count(phi_read(n).event_id) for n in (1, 2)] == [1, 1]


@pytest.mark.drill
def test_a_copy_of_the_trail_without_its_token_opens_nothing(
    kept: Kept, server: OpenBao
) -> None:
    """A stolen backup must be worth nothing once its token is revoked."""
    kept.grow(0, 3)
    server.revoke(token_of(kept))

    with pytest.raises(VaultError, match="refuses"):
        open_trail(kept.directory)
    with pytest.raises(VaultError, match="refuses"):
        verify_trail(kept.directory)
    assert not verify_trail(kept.directory, with_keys=False).findings


def test_a_half_that_the_vault_does_not_let_go_waits_and_goes_later(
    kept: Kept, server: OpenBao, key: str
) -> None:
    """A policy without the right to delete must not hold up the new keys of a theft."""
    policy = server.admin("GET", f"sys/policies/acl/{key}")["data"]["policy"]
    server.admin(
        "PUT", f"sys/policies/acl/{key}", {"policy": policy.replace(', "delete"', "")}
    )
    before = set(signing_keys(server, key))
    kept.rotate()
    waiting = sorted(one.name for one in (kept.directory / KEYS / "ended").iterdir())
    server.admin("PUT", f"sys/policies/acl/{key}", {"policy": policy})
    open_trail(kept.directory).close()
    after = set(signing_keys(server, key))

    assert waiting == ["audit-checkpoint.v1.json", "audit-promise.v1.json"]
    assert list((kept.directory / KEYS / "ended").iterdir()) == []
    assert len(before - after) == 2
