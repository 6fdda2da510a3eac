"""What callers and policies call the classes of identifiers.

A selector is the name of a class (`name`, `geographic`, ...), in small or capital letters, or
one of the names that people who write policies use (`ADDRESS`, `MEDICAL_RECORD`, ...). An
unknown one is refused where the policy is read: a class that nobody looks for because of a
typing error would be a hole.

Source of the classes: 45 CFR 164.514(b)(2)(i).
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, TypeAlias

import msgspec

from phitrail.errors import InputError
from phitrail.events.codes import IdentifierClass

SHORT_NAMES: Mapping[str, IdentifierClass] = {
    "NAME": IdentifierClass.NAME,
    "DATE": IdentifierClass.DATE,
    "PHONE": IdentifierClass.PHONE,
    "EMAIL": IdentifierClass.EMAIL,
    "SSN": IdentifierClass.SSN,
    "MRN": IdentifierClass.MRN,
    "ADDRESS": IdentifierClass.GEOGRAPHIC,
    "MEDICAL_RECORD": IdentifierClass.MRN,
}
CLASS_OF_SELECTOR: Mapping[str, IdentifierClass] = {
    **{each.value: each for each in IdentifierClass},
    **{each.value.upper(): each for each in IdentifierClass},
    **SHORT_NAMES,
}
"""Selector -> the class that it stands for."""

Selector: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"\A(?:{'|'.join(CLASS_OF_SELECTOR)})\Z",
        description="the name of a class of identifiers, or one of the short names",
    ),
]


def classes_of(selectors: Iterable[str]) -> frozenset[IdentifierClass]:
    """Return the classes that the selectors stand for.

    Raises:
        InputError: one of them is not known; says which by its place.
    """
    classes = set()
    for place, selector in enumerate(selectors, start=1):
        found = CLASS_OF_SELECTOR.get(selector)
        if found is None:
            raise InputError.for_field(
                "selectors",
                f"number {place} is not known; known: {', '.join(CLASS_OF_SELECTOR)}",
            )
        classes.add(found)
    return frozenset(classes)
