"""What an exit code says; the one table from errors to codes.

Codes above 63 are those of sysexits.h with the same meaning.
"""

from enum import IntEnum

from phitrail.errors import (
    AccessDeniedError,
    ConfigError,
    ConflictError,
    InputError,
    IntegrityError,
    PhitrailError,
    RefusedError,
    StorageError,
    UnverifiableError,
)


class ExitCode(IntEnum):
    """Exit codes; scripts may rely on them."""

    OK = 0
    CHECK_FAILED = 1
    USAGE = 2
    UNVERIFIABLE = 3
    BUG = 70
    TRY_AGAIN = 75
    REFUSED = 77
    CONFIGURATION = 78
    INTERRUPTED = 130
    PIPE_CLOSED = 141


CODE_OF_ERROR: tuple[tuple[type[PhitrailError], ExitCode], ...] = (
    (InputError, ExitCode.USAGE),
    (ConflictError, ExitCode.USAGE),
    (IntegrityError, ExitCode.CHECK_FAILED),
    (UnverifiableError, ExitCode.UNVERIFIABLE),
    (StorageError, ExitCode.TRY_AGAIN),
    (AccessDeniedError, ExitCode.REFUSED),
    (RefusedError, ExitCode.REFUSED),
    (ConfigError, ExitCode.CONFIGURATION),
)


def code_of(error: PhitrailError) -> ExitCode:
    """Say which code an error ends with."""
    for kind, code in CODE_OF_ERROR:
        if isinstance(error, kind):
            return code
    return ExitCode.BUG
