"""Giving a log new signing keys: a rotation, a compromise, a loss (ADR 0007).

One succession, in this order; a crash leaves the old keys in force or the new ones:
1. The recovery key is checked against genesis. Nobody else may publish meanwhile.
2. The head is what its promise says, and nothing from outside contradicts the log. A last
   good checkpoint is a prefix of it: otherwise this is another history, and a successor
   would bless it.
3. New keys, the signed entry and the signed keyring are durable (`handover`).
4. The entry is appended as the very next one, its head signed by the new promise key. From
   here on the new keys are in force.
5. Key files, register, keyring take their places; the half that signed is destroyed, but at
   a rotation under the exception `retain-private`; the audit log says so; the new key
   publishes. Whoever opens the trail after a crash goes on here.

A process that had the trail open signs nothing more: it is told to open it again.
"""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from phitrail.app import handover, wiring
from phitrail.app.config import read_policy, read_tenant
from phitrail.app.handover import Handover
from phitrail.app.key_endings import destroy_ended
from phitrail.app.key_handover import holding_keys
from phitrail.app.key_profile import is_excepted
from phitrail.app.key_register import REGISTER, print_register
from phitrail.app.key_succession import succeed_signers
from phitrail.app.key_wiring import KEYS, current_register, open_held_ring
from phitrail.app.pins import JOURNAL, read_lines, read_pins
from phitrail.durable.files import DurableFiles
from phitrail.durable.lock import FileLock
from phitrail.errors import ConflictError, InputError, IntegrityError, StorageError
from phitrail.events.canonical import decode_leaf, encode_leaf
from phitrail.events.codes import Log, SuccessionReason
from phitrail.events.ids import format_time, new_uuid7, uuid_bytes
from phitrail.events.policy import rule_of
from phitrail.events.protected import Protected
from phitrail.events.shapes import CallerUserId
from phitrail.events.succession import Succession
from phitrail.identity.surrogate import written_surrogate
from phitrail.keys.due import RETAIN_PRIVATE
from phitrail.keys.key_file import KeyFile, make_key
from phitrail.keys.names import KeyId, KeyKind, checkpoint_key, promise_key
from phitrail.keys.recovery import read_recovery_key
from phitrail.keys.register import KeyEntry
from phitrail.keys.ring import KeyRing
from phitrail.tlog.checkpoint import Checkpoint
from phitrail.tlog.entry import Entry
from phitrail.tlog.genesis import Pinned, origin_of
from phitrail.tlog.hashing import hash_leaf
from phitrail.tlog.journal import MAC_BYTES, Journal
from phitrail.tlog.key_line import KeyLine
from phitrail.tlog.keyring import sign_keyring
from phitrail.tlog.layout import public_tile
from phitrail.tlog.note import Signer
from phitrail.tlog.outside import OutsideCheckpoint, check_not_behind
from phitrail.tlog.proof import root_at
from phitrail.tlog.succession import UNSIGNED, sign_succession, walk
from phitrail.tlog.tile import node_reader

TRIES = 8
LAST_GOOD = "--last-good-checkpoint"
_FIRST_PART = b"\x00\x00"
_NONCE_BYTES = 16


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks for.

    Attributes:
        log: whose keys are to give way.
        reason: why.
        by: who asks, as the audit log will name them.
        last_good: the last checkpoint that is known to be honest; for a compromise.
    """

    log: Log
    reason: SuccessionReason
    by: str
    last_good: bytes | None = None


def succeed(
    directory: Path,
    asked: Asked,
    recovery: Protected[str],
    now: datetime,
    *,
    old: Signer | None = None,
    is_published: bool = True,
    files: DurableFiles | None = None,
) -> Succession:
    """Give a log new signing keys.

    Args:
        directory: the trail.
        asked: which log, why, and for whom.
        recovery: the recovery line, or shares of it.
        now: the time.
        old: what signs with the key that gives way, where that is in another vault than
            the trail's.
        is_published: whether to publish after; not while other logs cannot sign.
        files: the trail's files; the fault tests pass their own.

    Raises:
        InputError: the recovery key is another one; the message says which rule broke.
        ConfigError: a key file is missing or wrong that is not to be replaced.
        IntegrityError: the log is not what its promise or the outside says.
        StorageError: nothing was recorded; or, as the message says, it was, and
            whoever opens the trail next finishes it.
    """
    if asked.last_good is not None and asked.reason is not SuccessionReason.COMPROMISE:
        raise InputError.for_field(LAST_GOOD, "only a compromise takes trust away")
    check_user(asked.by)
    pins = read_pins(directory)
    signer = _recovery_signer(pins[asked.log], recovery)
    files = files or DurableFiles(directory)
    with publishing_alone(directory):
        earlier = _finish_earlier(directory, asked)
        for _ in range(TRIES):
            try:
                with holding_keys(directory):
                    trying = _Succeeding(directory, asked, pins, signer, files, now)
                    return trying.run(old, earlier, is_published=is_published)
            except ConflictError:
                continue  # the log grew in between
    raise StorageError(
        f"{asked.log} grew at every try; nothing was recorded: try again when fewer write"
    )


def check_user(by: str) -> None:
    """Refuse what the audit log would refuse once the keys have given way.

    Raises:
        InputError: it is no user id.
    """
    with suppress(msgspec.ValidationError):
        msgspec.convert(by, CallerUserId)
        return
    raise InputError.for_field("user_id", rule_of(CallerUserId))


@contextmanager
def publishing_alone(directory: Path) -> Iterator[None]:
    """Let nobody publish under the keys of today meanwhile.

    Raises:
        StorageError: somebody does.
    """
    with closing(FileLock(directory / wiring.PUBLISH_LOCK)) as lease:
        if not lease.try_acquire():
            raise StorageError(
                "a process publishes this trail under the keys of today; stop it, then "
                "try again"
            )
        yield


def _finish_earlier(directory: Path, asked: Asked) -> Handover | None:
    """Finish an earlier succession; give it back where it cannot be recorded yet."""
    if asked.log is Log.AUDIT and asked.reason is not SuccessionReason.ROTATION:
        return wiring.put_successors_in_place(directory)
    begun = handover.read_handover(directory)
    if begun and handover.is_recorded(directory / JOURNAL, begun):
        wiring.open_trail(directory).close()
    return None


def _recovery_signer(pinned: Pinned, recovery: Protected[str]) -> Signer:
    key = pinned.recovery_key
    private = read_recovery_key(
        recovery, tenant=pinned.genesis.tenant, public_key=key.public_key
    )
    return Signer(key.name, key.public_key, private.sign)


class _Succeeding:
    """One try at one succession."""

    def __init__(
        self,
        directory: Path,
        asked: Asked,
        pins: dict[Log, Pinned],
        recovery: Signer,
        files: DurableFiles,
        now: datetime,
    ) -> None:
        self._directory = directory
        self._asked = asked
        self._pins = pins
        self._recovery = recovery
        self._files = files
        self._now = now
        self._lines = read_lines(directory)
        self._line = self._lines[asked.log]
        self._version = len(self._line.tenures) + 1
        self._tenant = read_tenant(directory)
        self._entries: dict[KeyId, KeyEntry] = {}
        # A key that is in other hands is not kept, whatever exception there is.
        self._is_retaining = asked.reason is SuccessionReason.ROTATION and is_excepted(
            current_register(directory), RETAIN_PRIVATE, now
        )

    def run(
        self, old: Signer | None, earlier: Handover | None, *, is_published: bool
    ) -> Succession:
        """Do it.

        Args:
            old: what signs with the key that gives way, where the ring does not.
            earlier: a succession that is in force and not on record yet.
            is_published: whether to publish after.

        Raises:
            ConflictError: the log grew since its head was read; nothing was recorded.
        """
        before, after, made = self._keys()
        succession, line = self._signed(before, after, old)
        begun = self._handover(succession, before, after, made)
        handover.write_handover(self._files, begun)
        lines = {**self._lines, self._asked.log: line}
        trail = wiring.assemble(
            self._directory,
            self._tenant,
            read_policy(self._directory),
            after,
            wiring.wire_log_keys(self._tenant.tenant, after, lines),
            Journal.open(self._directory / JOURNAL),
        )
        try:
            trail.appender.append((_entry(succession),))
            self._finish(trail, begun, earlier, is_published=is_published)
        finally:
            trail.close()
        return succession

    def _keys(self) -> tuple[KeyRing, KeyRing, tuple[KeyFile, ...]]:
        """Read the keys, checked, and make those that will sign."""
        names = (checkpoint_key(self._asked.log), promise_key(self._asked.log))
        is_rotation = self._asked.reason is SuccessionReason.ROTATION
        may_lack = () if is_rotation else names
        policy = read_policy(self._directory)
        before = open_held_ring(self._directory, policy, may_lack=may_lack)
        created_at = format_time(self._now)
        made = []
        for name in names:
            key_id = KeyId(name, self._version)
            file, entry = make_key(key_id, KeyKind.SIGN, created_at, before.vault, None)
            made.append(file)
            self._entries[key_id] = entry
        return before, before.with_files(made), tuple(made)

    def _signed(
        self, before: KeyRing, after: KeyRing, old: Signer | None
    ) -> tuple[Succession, KeyLine]:
        """Draft the entry for the head as it stands, sign it, and walk to it."""
        log, line = self._asked.log, self._line
        wired = wiring.wire_log_keys(self._tenant.tenant, after, self._lines)
        with closing(
            Journal.open(self._directory / JOURNAL, read_only=True)
        ) as journal:
            wiring.check_heads(journal, wired, self._directory)
            head = journal.head(log.value)
            promised = line.open_promise(head.promise)
            if (promised.size, promised.root) != (head.size, head.root):
                raise IntegrityError(f"the head of {log} is not what was promised")
            trusted = self._trusted(journal, promised)
        new = wired[log.value]
        draft = Succession(
            event_id=new_uuid7(self._now),
            created_at=format_time(self._now),
            log=log,
            origin=line.origin,
            key_version=self._version,
            reason=self._asked.reason,
            old_log_vkey=str(line.current.log_key),
            old_promise_vkey=str(line.current.promise_key),
            log_vkey=str(new.checkpoint.vkey),
            promise_vkey=str(new.promise.vkey),
            head_size=head.size,
            head_root=head.root.hex(),
            trusted_size=trusted.size,
            trusted_root=trusted.root.hex(),
            nonce=written_surrogate(os.urandom(_NONCE_BYTES)),
            recovery_signature=UNSIGNED,
        )
        succession = sign_succession(
            draft, recovery=self._recovery, old=self._old_signer(before, old)
        )
        leaves = [one.leaf for one in line.tenures if one.leaf]
        return succession, walk(self._pins[log], [*leaves, encode_leaf(succession)])

    def _old_signer(self, before: KeyRing, old: Signer | None) -> Signer | None:
        if self._asked.reason is not SuccessionReason.ROTATION:
            return None
        if old is not None:
            return old
        key = before.signing_key(checkpoint_key(self._asked.log))
        return Signer(self._line.origin, key.public_key, key.sign)

    def _trusted(self, journal: Journal, head: Checkpoint) -> Checkpoint:
        """Say up to where the old keys are believed, having held it to the tree."""
        if self._asked.last_good is None:
            return head
        log = self._asked.log.value
        seen = self._line.open_checkpoint(self._asked.last_good)
        newest = journal.newest_checkpoint(log)
        published = newest[0] if newest is not None else 0
        root = None
        if seen.size <= published:

            def read(level: int, index: int, width: int) -> bytes:
                return self._files.read(public_tile(log, level, index, width))

            root = root_at(seen.size, node_reader(read, published))
        check_not_behind(OutsideCheckpoint(LAST_GOOD, seen), published, root)
        return seen

    def _handover(
        self,
        succession: Succession,
        before: KeyRing,
        after: KeyRing,
        made: tuple[KeyFile, ...],
    ) -> Handover:
        """Gather what must be durable before the entry is."""
        earlier = [
            decode_leaf(tenure.leaf)
            for line in self._lines.values()
            for tenure in line.tenures
            if tenure.leaf
        ]
        successions = [one for one in earlier if isinstance(one, Succession)]
        keyring = sign_keyring(
            self._pins,
            [*successions, succession],
            self._recovery,
            succession.created_at,
        )
        replaced = {key.name for key in made}
        return Handover(
            encode_leaf(succession),
            self._asked.by,
            {f"{KEYS}/{key.file_name}": key.encode() for key in made}
            | {
                handover.KEYRING: keyring,
                REGISTER: self._register(after, made),
            },
            tuple(
                f"{KEYS}/{name}.v{version}.json"
                for name, version in before.versions()
                if name in replaced and not self._is_retaining
            ),
        )

    def _register(self, after: KeyRing, made: tuple[KeyFile, ...]) -> bytes:
        """Write the register as it is after this."""
        register = succeed_signers(
            current_register(self._directory),
            [self._entries[file.key_id] for file in made],
            self._asked.reason,
            format_time(self._now),
            is_retaining=self._is_retaining,
        )
        key = after.signing_key(checkpoint_key(Log.AUDIT))
        origin = origin_of(self._tenant.tenant, Log.AUDIT)
        return print_register(register, Signer(origin, key.public_key, key.sign))

    def _finish(
        self,
        trail: wiring.Trail,
        begun: Handover,
        earlier: Handover | None,
        *,
        is_published: bool,
    ) -> None:
        try:
            handover.put_in_place(self._files, begun)
            destroy_ended(self._directory, trail.keys.vault)
            if earlier is not None:
                trail.recorder.record(*handover.key_event(earlier))
            wiring.record_succession(trail, begun)
            if is_published:
                with closing(trail.publisher()) as publisher:
                    publisher.publish()
        except StorageError as error:
            raise StorageError(
                f"the new keys of {self._asked.log} are in force; what is left to do is "
                f"done when the trail is opened next ({error})"
            ) from error


def _entry(succession: Succession) -> Entry:
    leaf = encode_leaf(succession)
    return Entry(
        succession.log.value,
        uuid_bytes(succession.event_id) + _FIRST_PART,
        bytes(MAC_BYTES),
        leaf,
        hash_leaf(leaf),
        succession.head_size,
    )
