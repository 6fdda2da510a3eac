"""A whole trail with its keys in AWS KMS, played by ministack.

ministack has Ed25519 keys and enforces the states of keys; what it does not know (limits,
rotations, altered ciphertext) is shown in `tests.keys.test_aws_kms`.
"""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.kms import Ministack, ministack
from tests.trails import NOW, TENANT, phi_read, read_leaves

from phitrail.app.founding import found_trail
from phitrail.app.key_wiring import KEYS
from phitrail.app.query import Question, ask
from phitrail.app.query_filter import Filter
from phitrail.app.running import PUBLISH_WITHIN_S, run_trail
from phitrail.app.tables import advance_tables
from phitrail.app.verification import verify_trail
from phitrail.app.wiring import open_trail
from phitrail.errors import VaultError
from phitrail.keys.names import WRAPPING
from phitrail.keys.settings import AwsKmsSettings

pytestmark = pytest.mark.long
CACHE_S = 0.001
"""No secret is kept for longer than it takes to ask for it anew."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ministack]:
    """Give a server of ministack."""
    with ministack(tmp_path_factory.mktemp("ministack")) as server:
        yield server


@pytest.fixture
def wrapping_key(stack: Ministack) -> str:
    """Give the id of a key that wraps."""
    return str(stack.admin.create_key()["KeyMetadata"]["KeyId"])


def _found(place: Path, settings: AwsKmsSettings) -> Path:
    found_trail(place, TENANT, NOW, vault=settings)
    return place


def test_a_trail_in_kms_records_verifies_and_answers(
    stack: Ministack, wrapping_key: str, tmp_path: Path
) -> None:
    """Everything that the log does goes through the vault, and nothing notices."""
    trail = _found(tmp_path / "trail", stack.settings(wrapping_key))
    with run_trail(trail) as running:
        running.parts.recorder.record_many([phi_read(n) for n in range(20)], NOW)
    with run_trail(trail) as running:
        running.pipeline.publish_now(PUBLISH_WITHIN_S)
        advance_tables(running.parts, NOW)
        answer = ask(running.parts, Question(Filter()), by="officer-7", now=NOW)
        leaves = read_leaves(running.parts)
    verification = verify_trail(trail)

    assert len(leaves) >= 21
    assert answer.rows.num_rows >= 20
    assert not verification.findings


def test_no_secret_of_a_trail_in_kms_stands_on_the_disk(
    stack: Ministack, wrapping_key: str, tmp_path: Path
) -> None:
    """Whoever takes the disk must need AWS to read it."""
    trail = _found(tmp_path / "trail", stack.settings(wrapping_key))
    names = {place.name for place in (trail / KEYS).iterdir()}
    held = [place.read_text() for place in (trail / KEYS).iterdir()]

    assert not [name for name in names if name.startswith(WRAPPING)]
    assert all('"held":"aws-kms:' in text for text in held)


def test_a_disabled_wrapping_key_stops_recording_at_once(
    stack: Ministack, wrapping_key: str, tmp_path: Path
) -> None:
    """Who takes the key away in AWS must not wait for us."""
    settings = stack.settings(wrapping_key, unwrap_cache_s=CACHE_S)
    trail = _found(tmp_path / "trail", settings)
    with closing(open_trail(trail)) as parts:
        parts.recorder.record(phi_read(1), NOW)
        stack.admin.disable_key(KeyId=wrapping_key)

        with pytest.raises(VaultError) as caught:
            parts.recorder.record(phi_read(2), NOW)
        assert caught.value.is_refusal

        stack.admin.enable_key(KeyId=wrapping_key)
        parts.recorder.record(phi_read(2), NOW)


def test_a_key_scheduled_for_deletion_opens_no_trail(
    stack: Ministack, wrapping_key: str, tmp_path: Path
) -> None:
    """A trail whose key ends must not run on from what it remembers."""
    trail = _found(tmp_path / "trail", stack.settings(wrapping_key))
    stack.admin.schedule_key_deletion(KeyId=wrapping_key, PendingWindowInDays=7)

    with pytest.raises(VaultError) as caught:
        open_trail(trail)
    assert caught.value.is_refusal


def test_a_vault_that_is_down_fails_closed_and_the_log_stays_verifiable(
    tmp_path: Path,
) -> None:
    """Nothing is acknowledged that is not signed; it goes on without a restart."""
    (tmp_path / "stack").mkdir()
    with ministack(tmp_path / "stack") as server:
        key = str(server.admin.create_key()["KeyMetadata"]["KeyId"])
        trail = _found(tmp_path / "trail", server.settings(key, unwrap_cache_s=CACHE_S))
        with run_trail(trail) as running:
            running.parts.recorder.record(phi_read(1), NOW)
        with closing(open_trail(trail)) as parts:
            server.stop()

            with pytest.raises(VaultError) as caught:
                parts.recorder.record(phi_read(2), NOW)
            assert not caught.value.is_refusal
            down = verify_trail(trail, with_keys=False)

            server.start()
            parts.recorder.record(phi_read(2), NOW)
        with run_trail(trail) as running:
            ids = [leaf.event_id for leaf in read_leaves(running.parts)]
        up = verify_trail(trail)

    assert [ids.count(phi_read(n).event_id) for n in (1, 2)] == [1, 1]
    assert not down.findings
    assert not up.findings
