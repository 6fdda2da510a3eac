"""However an identifier is written, it has one form; what names nobody has none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phitrail.events.codes import IdentifierClass
from phitrail.identity.spelling import SPELLED, spell


@pytest.mark.parametrize(
    ("kind", "writings"),
    [
        (
            IdentifierClass.SSN,
            ("901-22-3344", "901 22 3344", "901223344", "\uff19\uff10\uff11-22-3344"),
        ),
        (
            IdentifierClass.PHONE,
            (
                "(907) 555-0142",
                "907.555.0142",
                "+1 907 555 0142",
                "907-555-0142 x31",
                "907-555-0142, ext. 31",
                "\u0669\u0660\u0667 555 0142",
            ),
        ),
        (
            IdentifierClass.EMAIL,
            ("Quill@mail.example", " quill@MAIL.example ", "mailto:quill@mail.example"),
        ),
        (
            IdentifierClass.MRN,
            ("MRN 0041-2277", "mrn00412277", "412277", "MRN: 412277"),
        ),
        (IdentifierClass.HEALTH_PLAN, ("XQZ 44-81 0", "xqz44810")),
    ],
)
def test_writings_of_one_identifier_meet(
    kind: IdentifierClass, writings: tuple[str, ...]
) -> None:
    """Another patient's number would pass for nobody's when a dash is missing."""
    forms = {spell(kind, writing) for writing in writings}

    assert len(forms) == 1
    assert forms != {None}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (IdentifierClass.SSN, "3344"),
        (IdentifierClass.PHONE, "911"),
        (IdentifierClass.PHONE, "1" * 40),
        (IdentifierClass.EMAIL, "quill at mail"),
        (IdentifierClass.EMAIL, "@"),
        (IdentifierClass.MRN, "007"),
        (IdentifierClass.MRN, "unknown"),
        (IdentifierClass.MRN, "4" * 300),
        (IdentifierClass.HEALTH_PLAN, ""),
    ],
)
def test_what_names_nobody_has_no_form(kind: IdentifierClass, value: str) -> None:
    """An answer that says "unknown" would be another patient's."""
    assert spell(kind, value) is None


@pytest.mark.parametrize("kind", sorted(set(IdentifierClass) - SPELLED))
def test_other_classes_have_no_form(kind: IdentifierClass) -> None:
    """Two patients of one name are no wrong patient."""
    assert spell(kind, "Perpetua 901-22-3344") is None


@given(st.sampled_from(sorted(SPELLED)), st.text(max_size=60))
def test_a_form_is_its_own_form(kind: IdentifierClass, value: str) -> None:
    """A value that was spelled twice would have a second keyed hash."""
    form = spell(kind, value)

    assert form is None or spell(kind, form) == form
