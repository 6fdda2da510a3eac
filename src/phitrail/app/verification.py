"""A trail against itself and against the outside: `phitrail verify`.

1. Checkpoints from outside are read first, then what is published, then the journal, so
   that a writer at work can only add to what is verified.
2. Full bundles are derived in ranges, by several processes where the trail is large, and
   taken in order; each process opens files and keys for itself.
3. The verdict: `failed` when anything was found; `ok` when every log is also held to a
   checkpoint from outside; else `unanchored`: consistent with itself only.

What is checked, and in what order, stands in `evidence.verify`. A copy without `keys/`
is verified from its tiles; a copy without a journal without its kept checkpoints.
"""

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from phitrail.app import wiring
from phitrail.app.handover import read_handover, read_keyring
from phitrail.app.key_wiring import KEYS
from phitrail.app.pins import JOURNAL
from phitrail.app.verification_source import (
    OpenPlace,
    Place,
    check_identity_map,
    check_key_register,
    note_damage,
    open_place,
    read_journal,
    read_outside_files,
)
from phitrail.app.witnessed import find_cosigned
from phitrail.errors import ConfigError, InputError, IntegrityError, StorageError
from phitrail.events.codes import Log
from phitrail.evidence.derive import Claim, Derived, derive_range, open_kept
from phitrail.evidence.findings import Check, Finding, Findings
from phitrail.evidence.keyring import open_line
from phitrail.evidence.verify import (
    LogVerdict,
    LogVerifier,
    Outside,
    open_genesis,
    origin_of_note,
)
from phitrail.tlog import layout
from phitrail.tlog.genesis import Pinned, origin_of
from phitrail.tlog.hashing import HASH_BYTES
from phitrail.tlog.key_line import KeyLine
from phitrail.tlog.note import VerifierKey
from phitrail.tlog.tile import TILE_WIDTH

TILES_IN_A_RANGE = 128
TILES_WORTH_PROCESSES = 1024
_AHEAD_OF_A_PROCESS = 3
_LARGER_THAN_A_FEW_BUNDLES = 16 << 20

Progress = Callable[[int, int], None]
"""(entries done, entries in all)"""


class Verdict(StrEnum):
    """What a verification says."""

    OK = "ok"
    FAILED = "failed"
    UNANCHORED = "unanchored"


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of a trail; `astray` are findings that belong to no log of it."""

    logs: tuple[LogVerdict, ...]
    astray: tuple[Finding, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Everything that was found, the first of each check of each log."""
        return (*self.astray, *(found for log in self.logs for found in log.findings))

    @property
    def verdict(self) -> Verdict:
        """Failed, ok, or consistent with itself only."""
        if self.findings:
            return Verdict.FAILED
        if all(log.held_to is not None for log in self.logs):
            return Verdict.OK
        return Verdict.UNANCHORED


@dataclass(frozen=True, slots=True)
class _Range:
    """Some full tiles of one log, for any process to derive."""

    place: Place
    line: KeyLine
    tiles: range
    size: int
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class _Begun:
    """A log whose notes are read; its tree is still to be derived."""

    place: Place
    pinned: Pinned | None
    line: KeyLine | None
    opened: OpenPlace
    verifier: LogVerifier
    findings: Findings
    newest_kept: int

    def ranges(self) -> Iterator[_Range]:
        """Cut the full tiles into ranges, in order."""
        if self.line is None:
            return
        tiles = self.verifier.full_tiles
        for start in range(0, tiles, TILES_IN_A_RANGE):
            within = range(start, min(start + TILES_IN_A_RANGE, tiles))
            yield _Range(
                self.place,
                self.line,
                within,
                self.verifier.size,
                self.verifier.claims_within(within),
            )


def verify_trail(
    directory: Path,
    *,
    logs: Sequence[Log] = tuple(Log),
    outside: Sequence[tuple[str, bytes]] = (),
    witnesses: Sequence[VerifierKey] = (),
    amiss: Iterable[Finding] = (),
    deep: bool = False,
    with_keys: bool = True,
    processes: int | None = None,
    progress: Progress | None = None,
) -> Verification:
    """Verify a trail, or a copy of one.

    Args:
        directory: the trail; writers may be at work.
        logs: which of its logs.
        outside: checkpoints or promises from outside, each with a name to call it by.
            Files in `state/outside/` are held against the log as well, but support
            nothing: whoever owns the host could have planted them.
        witnesses: keys of witnesses, from outside. What one of them cosigned supports
            the log wherever it lies.
        amiss: what was found wrong with what came from outside before it got here.
        deep: check every entry, the table of events, the identity map and the register
            of keys as well.
        with_keys: whether the keys are used where they stand here; without them entries
            are not opened, as in a copy that has none, and no vault is asked.
        processes: how many share the work; by default one for each CPU of a large
            trail, and none besides this one for a small trail.
        progress: called after each range.

    Raises:
        ConfigError: this is no trail, a key is missing, or what `deep` needs is.
        InputError: no logs, or no processes.
        StorageError: a file cannot be read.
    """
    if not logs:
        raise InputError.for_field("logs", "at least one is needed")
    if processes is not None and processes < 1:
        raise InputError.for_field("processes", "must be 1 or more")
    if deep and not with_keys:
        raise InputError.for_field("deep", "needs the keys: it opens every entry")
    _check_trail(directory, deep=deep)
    held = [
        *(Outside(source, note) for source, note in outside),
        *find_cosigned(directory, witnesses),
        *read_outside_files(directory),
    ]
    by_origin, astray = _sort_by_origin(held)
    for finding in amiss:
        astray.add(finding.check, finding.where, finding.message)
    with ExitStack() as stack:
        begun = [
            _begin(stack, directory, log, by_origin, deep=deep, with_keys=with_keys)
            for log in logs
        ]
        tenants = {one.pinned.genesis.tenant for one in begun if one.pinned}
        astray.extend(_of_no_log(by_origin, tenants))
        tiles = sum(one.verifier.full_tiles for one in begun)
        if processes is None:
            processes = (os.cpu_count() or 1) if tiles >= TILES_WORTH_PROCESSES else 1
        pool = None
        if processes > 1 and tiles:
            context = multiprocessing.get_context("spawn")
            pool = stack.enter_context(
                ProcessPoolExecutor(processes, mp_context=context)
            )
        report = _Report(progress, sum(one.verifier.size for one in begun))
        verdicts = tuple(_verify(one, pool, processes, report) for one in begun)
    if deep:
        check_identity_map(directory, astray)
        if any(one.log is Log.AUDIT and not one.findings for one in verdicts):
            check_key_register(directory, astray)
    return Verification(verdicts, astray.kept)


def _check_trail(directory: Path, *, deep: bool) -> None:
    if not (directory / "public").is_dir():
        raise ConfigError(
            f"there is no {directory / 'public'}; point --trail at a trail or a copy"
        )
    needed = (KEYS, JOURNAL, wiring.IDENTITY) if deep else ()
    for name in needed:
        if not (directory / name).exists():
            raise ConfigError(
                f"a deep verification needs {directory / name}, which is not there; "
                "verify without --deep, or restore it"
            )


def _sort_by_origin(
    held: Iterable[Outside],
) -> tuple[dict[str, list[Outside]], Findings]:
    by_origin: dict[str, list[Outside]] = {}
    astray = Findings("")
    for one in held:
        try:
            by_origin.setdefault(origin_of_note(one.note), []).append(one)
        except IntegrityError as error:
            astray.add(Check.OUTSIDE, one.source, f"is no checkpoint: {error}")
    return by_origin, astray


def _of_no_log(by_origin: dict[str, list[Outside]], tenants: set[str]) -> Findings:
    """Find checkpoints from outside that speak of no log of this trail."""
    ours = {origin_of(tenant, log) for tenant in tenants for log in Log}
    astray = Findings("")
    for origin, held in by_origin.items():
        for one in held if origin not in ours else ():
            astray.add(
                Check.OUTSIDE,
                one.source,
                "speaks of a log that this trail does not have: it is another trail's, "
                "or the genesis of this one was replaced",
            )
    return astray


def _begin(
    stack: ExitStack,
    directory: Path,
    log: Log,
    by_origin: dict[str, list[Outside]],
    *,
    deep: bool,
    with_keys: bool,
) -> _Begun:
    """Read the notes of one log, anew where its keys gave way meanwhile."""
    while True:
        keyring = read_keyring(directory, directory / JOURNAL)
        begun = _begin_under(
            keyring, stack, directory, log, by_origin, deep=deep, with_keys=with_keys
        )
        if keyring == read_keyring(directory, directory / JOURNAL):
            return begun


def _begin_under(
    keyring: bytes | None,
    stack: ExitStack,
    directory: Path,
    log: Log,
    by_origin: dict[str, list[Outside]],
    *,
    deep: bool,
    with_keys: bool,
) -> _Begun:
    """Read the notes of one log: genesis, public checkpoint, journal."""
    findings = Findings(log.value)
    genesis = _read(directory / layout.public_genesis(log)) or b""
    pinned = open_genesis(genesis, log, findings)
    public = _read(directory / layout.public_checkpoint(log))
    line = open_line(keyring, pinned, findings) if pinned is not None else None
    place = Place(
        directory,
        log.value,
        pinned.genesis.tenant if pinned is not None else "",
        has_keys=with_keys and pinned is not None and (directory / KEYS).is_dir(),
        has_journal=pinned is not None and (directory / JOURNAL).exists(),
        is_deep=deep,
        line=line,
    )
    if place.has_keys and not place.has_journal:
        findings.add(
            Check.JOURNAL,
            "journal.db",
            "is missing beside the keys, and with it what was not published yet: "
            "restore it from the archive",
        )
    try:
        opened = stack.enter_context(open_place(place))
    except StorageError as error:
        note_damage(error, findings)
        place = replace(place, has_journal=False)
        opened = stack.enter_context(open_place(place))
    journal = read_journal(opened, log.value, findings)
    if line is not None:
        _check_signing_keys(directory, opened, line, findings)
    verifier = LogVerifier(
        log,
        opened.source,
        genesis=genesis,
        pinned=pinned,
        line=line,
        public=public,
        journal=journal,
        outside=by_origin.get(pinned.genesis.origin, ()) if pinned is not None else (),
        findings=findings,
    )
    newest = journal.newest[0][0] if journal is not None and journal.newest else 0
    return _Begun(place, pinned, line, opened, verifier, findings, newest)


def _check_signing_keys(
    directory: Path, opened: OpenPlace, line: KeyLine, findings: Findings
) -> None:
    keys, current = opened.keys, line.current
    if read_handover(directory) is not None:
        return  # the successors are on their way to their place
    if keys is not None and (keys.checkpoint.vkey, keys.promise.vkey) != (
        current.log_key,
        current.promise_key,
    ):
        findings.add(
            Check.GENESIS,
            "genesis.json",
            "the signing keys under keys/ are not those that it pins, or the keyring "
            "after it: put the right key files back, or the genesis",
        )


def _verify(
    begun: _Begun, pool: ProcessPoolExecutor | None, processes: int, report: "_Report"
) -> LogVerdict:
    """Derive the tree of one log and finish its verification."""
    verifier = begun.verifier
    for derived in _in_order(begun.ranges(), pool, processes):
        verifier.take(derived)
        report.add(len(derived.tile_hashes) // HASH_BYTES * TILE_WIDTH)
    kept = _read_kept(
        begun.opened,
        begun.place.log,
        (verifier.full_tiles * TILE_WIDTH, max(verifier.size, begun.newest_kept)),
        begun.findings,
    )
    verdict = verifier.finish(kept)
    report.add(verifier.size % TILE_WIDTH)
    return verdict


def _in_order(
    ranges: Iterable[_Range], pool: ProcessPoolExecutor | None, processes: int
) -> Iterator[Derived]:
    """Derive ranges and give them in order; few are under way at a time."""
    if pool is None:
        yield from map(_derive, ranges)
        return
    waiting: deque[Future[Derived]] = deque()
    try:
        for one in ranges:
            waiting.append(pool.submit(_derive, one))
            if len(waiting) >= processes * _AHEAD_OF_A_PROCESS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise StorageError(
            "a process of the verification died, perhaps for want of memory; verify "
            "again with one process"
        ) from error


def _derive(one: _Range) -> Derived:
    """Derive one range; runs in any process."""
    _keep_freed_memory()
    with open_place(one.place) as opened:
        findings = Findings(one.place.log)
        span = (one.tiles.start * TILE_WIDTH, one.tiles.stop * TILE_WIDTH)
        kept = open_kept(
            _read_kept(opened, one.place.log, span, findings),
            one.line,
            findings,
        )
        derived = derive_range(
            one.place.log, one.tiles, one.size, opened.source, (*one.claims, *kept)
        )
        derived.findings.extend(findings)
        return derived


def _keep_freed_memory() -> None:
    """Let the allocator keep what bundles free, for the next bundle.

    glibc gives freed blocks of 128 KiB and more back to the kernel, until a larger one was
    freed (mallopt(3), M_MMAP_THRESHOLD); the page faults were a third of a
    verification's CPU time. Elsewhere this does nothing.
    """
    bytes(_LARGER_THAN_A_FEW_BUNDLES)


def _read_kept(
    opened: OpenPlace, log: str, span: tuple[int, int], findings: Findings
) -> list[tuple[int, bytes]]:
    """Read the checkpoints that the journal keeps, of sizes above one up to another."""
    if opened.journal is None:
        return []
    try:
        return opened.journal.checkpoints_between(log, *span)
    except IntegrityError as error:
        findings.add(Check.JOURNAL, "journal.db", str(error))
        return []
    except StorageError as error:
        note_damage(error, findings)
        return []


class _Report:
    """Adds up what is done, for whoever shows progress."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0

    def add(self, entries: int) -> None:
        """Say that some more entries are done."""
        self._done += entries
        if self._progress is not None and entries:
            self._progress(self._done, self._total)


def _read(place: Path) -> bytes | None:
    """Read a file, or nothing where there is none."""
    try:
        return place.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"cannot read {place}: {error.strerror}") from error
