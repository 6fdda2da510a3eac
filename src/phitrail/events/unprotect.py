"""The one opener of protected values.

An import contract names who may use it: identity and the recorder, for hashing only, and
`app.disclose`, for people whose right was checked and whose reading was recorded.
"""

from typing import TypeVar

from phitrail.events.protected import Protected

T = TypeVar("T")


def unprotect(protected: Protected[T]) -> T:
    """Return the value that a `Protected` holds.

    Raises:
        TypeError: it is no `Protected`; the message says nothing of it.
    """
    try:
        return protected._value  # noqa: SLF001 - the one door to it
    except AttributeError:
        pass  # not raised in here: its error would go along as context
    raise TypeError("only a protected value can be opened")
