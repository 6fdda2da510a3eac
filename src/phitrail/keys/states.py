"""The states of a key and the transitions between them (NIST SP 800-57 part 1, section 7).

pre-activation  made, not in use             protects nothing, opens nothing
active          in use                       protects and opens
suspended       doubted for the moment       opens, with that doubt; protects nothing
deactivated     replaced                     opens only
compromised     somebody else may have it    quarantined: opens under break-glass only
destroyed       gone for good
destroyed-compromised  gone, and somebody else may have a copy

The numbers beside the transitions are those of section 7 (revision 4; revision 5 keeps the
states). The private half of a signing key is never kept deactivated: it goes from active to
destroyed, while its public half is kept to verify (transitions 5 and 8).
"""

from enum import StrEnum

from phitrail.errors import InputError


class KeyState(StrEnum):
    """What may be done with one version of a key."""

    PRE_ACTIVATION = "pre-activation"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    DEACTIVATED = "deactivated"
    COMPROMISED = "compromised"
    DESTROYED = "destroyed"
    DESTROYED_COMPROMISED = "destroyed-compromised"


_P, _A, _S, _D, _C, _X, _XC = KeyState

TRANSITIONS: dict[KeyState, frozenset[KeyState]] = {
    _P: frozenset({_X, _C, _A}),  # 2, 3, 4
    _A: frozenset({_X, _C, _S, _D}),  # 5, 6, 7, 8
    _S: frozenset({_X, _C, _A, _D}),  # 9, 10, 11, 12
    _D: frozenset({_X, _C}),  # 13, 14
    _C: frozenset({_XC}),  # 15
    _X: frozenset({_XC}),  # 16: it is learnt later that somebody has a copy
    _XC: frozenset(),
}

PROTECTS = frozenset({_A})
OPENS = frozenset({_A, _S, _D})
IS_GONE = frozenset({_X, _XC})


def check_transition(key: str, before: KeyState, after: KeyState) -> None:
    """Check that a version of a key may go from one state to another.

    Raises:
        InputError: it may not; the message says where it may go.
    """
    allowed = TRANSITIONS[before]
    if after in allowed:
        return
    where = ", ".join(sorted(allowed)) or "nowhere: this is the end"
    raise InputError.for_field(
        key, f"is {before} and cannot become {after}; from there it may go: {where}"
    )
