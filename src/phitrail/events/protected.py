"""Values that cannot be printed: identifiers of patients and records on their way in.

`str`, `repr`, `format`, logging and `pickle` never show the value; JSON encoders refuse
it. The one opener stands in `phitrail.events.unprotect` and is guarded by an import
contract. Nothing here decides who may open a value.
"""

from typing import Generic, NoReturn, TypeVar

T = TypeVar("T")

MASK = "\u2039protected\u203a"


class Protected(Generic[T]):
    """One value that prints as a mask.

    Two values are equal when what they hold is equal, so that records holding them can
    be compared; they hash alike as well.
    """

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value

    def __repr__(self) -> str:
        return MASK

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Protected) and bool(self._value == other._value)

    def __hash__(self) -> int:
        return hash(("Protected", self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a protected value is never pickled")
