"""The directory that convinces an outsider: proofs, entries, and the key to check with.

`<log>-<index>.tlog-proof` and `<log>-<index>.leaf` for each entry, and `vkey`: the
verifier key of each log, one a line. The entries are in clear and remain PHI in law.
"""

from collections.abc import Iterable
from pathlib import Path

from phitrail.app.reading import ProvenEntry
from phitrail.errors import InputError, StorageError


def check_is_new(directory: Path) -> None:
    """Refuse a place that exists, before anything is recorded or proven.

    Raises:
        InputError: it exists.
    """
    if directory.exists():
        raise InputError.for_field("--prove", "must not exist yet")


def write_proof_files(
    directory: Path, entries: Iterable[ProvenEntry], vkeys: Iterable[str]
) -> int:
    """Write the proofs of entries into a new directory.

    Returns:
        How many entries were proven.

    Raises:
        InputError: the directory exists.
        StorageError: a file cannot be written.
    """
    count = 0
    check_is_new(directory)
    try:
        directory.mkdir(mode=0o700)
        (directory / "vkey").write_text("".join(f"{vkey}\n" for vkey in vkeys))
        for count, proven in enumerate(entries, start=1):  # noqa: B007 - counted
            name = f"{proven.entry.log}-{proven.entry.index}"
            (directory / f"{name}.tlog-proof").write_bytes(proven.proof_file)
            (directory / f"{name}.leaf").write_bytes(proven.entry.leaf)
    except OSError as error:
        raise StorageError(f"cannot write {directory}: {error.strerror}") from error
    return count
