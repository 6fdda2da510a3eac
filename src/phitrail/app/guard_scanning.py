"""Scan and score texts that lie in files, outside of any access.

For whoever tries the guard on texts of their own: nothing is recorded, and nothing that is
read here is kept. `phitrail.capture.guarding` scans the answers of an access.

1. A text is a whole file, or one field of each object of JSON lines. It must be UTF-8.
2. The policy is that of a file, else that of a trail, else the defaults.
3. With a record, what it explains is expected. Other patients of a tenant are not known
   here: that needs the identities of a running trail.
4. An error names file, line and rule, and never quotes.

Importing this loads NumPy; the model loads when `load_guard` is called.
"""

import secrets
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
import yaml

from phitrail.app import clock
from phitrail.app.config import read_policy
from phitrail.errors import ConfigError, InputError
from phitrail.guard.evaluate import Evaluation, evaluate
from phitrail.guard.labelled import read_labelled
from phitrail.guard.policy import GuardPolicy, policy_of
from phitrail.guard.record_context import RecordContext
from phitrail.guard.redact import REPLACED
from phitrail.guard.result import GuardResult
from phitrail.guard.scan import Guard
from phitrail.guard.second_opinion import SecondOpinion

MAX_TEXT_BYTES: Final = 64 << 20
STANDARD_INPUT: Final = "-"
_SEED_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class GivenText:
    """One text to scan: where it stands, and the JSON object around it, if any."""

    name: str
    text: str = field(repr=False)
    size_bytes: int
    around: Mapping[str, object] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Scanner:
    """A guard, and the access that texts are judged for."""

    guard: Guard
    policy: GuardPolicy
    context: RecordContext | None
    use_case: str | None
    role: str | None

    def scan(self, text: str) -> GuardResult:
        """Scan one text."""
        return self.guard.scan(
            text,
            self.context,
            self.policy,
            use_case=self.use_case,
            role=self.role,
            seed=secrets.token_bytes(_SEED_BYTES),
        )


def load_guard(*, with_presidio: bool = False) -> Guard:
    """Load the guard.

    Raises:
        ConfigError: its model is missing or damaged, or Presidio is not installed.
    """
    second = SecondOpinion.load().find if with_presidio else None
    with suppress(OSError, ValueError, KeyError):
        return Guard(second_opinion=second)
    raise ConfigError(
        "the model of the output guard is missing or damaged; install phitrail again"
    )


def policy_for(trail: Path | None, file: Path | None) -> GuardPolicy:
    """Return the policy of a file, else of a trail, else the defaults.

    Raises:
        ConfigError: names the file and the key that is wrong.
    """
    if file is not None:
        return _read_policy_file(file)
    section = None if trail is None else read_policy(trail).guard
    return section or GuardPolicy()


def read_context(place: Path) -> RecordContext:
    """Read the records of an access: one JSON object, or an array of them.

    Raises:
        InputError: it cannot be read, or a record does not fit; never quotes a value.
    """
    plain = None
    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        plain = msgspec.json.decode(_read_file(place, "--record"))
    if not isinstance(plain, dict | list):
        raise InputError.for_field(
            "--record", f"{place} must hold a JSON object or an array of them"
        )
    records = plain if isinstance(plain, list) else [plain]
    return RecordContext.from_records(records, now=clock.now())


def size_of(inputs: Sequence[str]) -> int:
    """Return the bytes of all inputs that are files."""
    return sum(
        Path(name).stat().st_size
        for name in inputs
        if name != STANDARD_INPUT and Path(name).is_file()
    )


def read_texts(inputs: Sequence[str], json_field: str | None) -> Iterator[GivenText]:
    """Give the texts of files, one by one.

    Args:
        inputs: names of files; `-` is standard input.
        json_field: files are JSON lines, and the text is this field of each object.

    Raises:
        InputError: names file, line and rule.
    """
    for name in inputs:
        with _opened(name) as file:
            if json_field is None:
                data = _limited(file.read(MAX_TEXT_BYTES + 1), name)
                yield GivenText(name, _decoded(data, name), len(data))
            else:
                yield from _read_lines(file, name, json_field)


def evaluate_file(
    guard: Guard,
    place: Path,
    policy: GuardPolicy,
    progress: Callable[[int, int], None],
) -> Evaluation:
    """Score what a policy would take out of the texts of a labelled file.

    Raises:
        InputError: the file cannot be read, or a line does not fit.
    """
    texts = read_labelled(_read_file(place, "FILE").splitlines(), str(place))
    return evaluate(
        texts,
        lambda each: [
            (span.start, span.end)
            for span in guard.scan(each.text, None, policy).spans
            if span.action in REPLACED
        ],
        progress=progress,
    )


def _read_lines(file: BinaryIO, name: str, json_field: str) -> Iterator[GivenText]:
    number = 0
    while line := file.readline(MAX_TEXT_BYTES + 1):
        number += 1
        place = f"{name}:{number}"
        _limited(line, place)
        if not line.strip():
            continue
        around = None
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            around = msgspec.json.decode(line)
        text = around.get(json_field) if isinstance(around, dict) else None
        if not isinstance(text, str):
            raise InputError.for_field(
                place, "must be a JSON object with a string under --jsonl-field"
            )
        yield GivenText(place, text, len(line), around)


def _limited(data: bytes, place: str) -> bytes:
    if len(data) > MAX_TEXT_BYTES:
        raise InputError.for_field(place, f"at most {MAX_TEXT_BYTES} bytes a text")
    return data


def _decoded(data: bytes, place: str) -> str:
    with suppress(UnicodeDecodeError):
        return data.decode()
    raise InputError.for_field(place, "must be text in UTF-8")


def _opened(name: str) -> BinaryIO:
    if name == STANDARD_INPUT:
        return sys.stdin.buffer
    try:
        return Path(name).open("rb")
    except OSError as error:
        raise InputError.for_field(
            "FILE", f"{name} cannot be read ({error.strerror})"
        ) from None


def _read_file(place: Path, argument: str) -> bytes:
    try:
        return place.read_bytes()
    except OSError as error:
        raise InputError.for_field(
            argument, f"{place} cannot be read ({error.strerror})"
        ) from None


def _read_policy_file(place: Path) -> GuardPolicy:
    plain = None
    with suppress(yaml.YAMLError, UnicodeDecodeError):
        plain = yaml.safe_load(_read_file(place, "--policy").decode())
    section = plain.get("guard") if isinstance(plain, dict) else None
    if not isinstance(section, dict):
        raise ConfigError(f"{place} must be YAML with a section `guard`")
    try:
        return policy_of({key: v for key, v in section.items() if key != "mode"})
    except InputError as error:
        raise ConfigError(f"{place}: {error}") from None
