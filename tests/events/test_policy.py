"""The compiled policy and the decoder admit the same values, field by field."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phitrail.errors import InputError
from phitrail.events.audit import AuditEvent, AuditLeaf
from phitrail.events.codes import EventType, Outcome
from phitrail.events.policy import check_fields, compile_policy

POLICY = compile_policy(AuditLeaf)
DECODER: msgspec.json.Decoder[Any] = msgspec.json.Decoder(AuditLeaf)
NAMES = sorted(set(AuditEvent.__struct_fields__) - {"event_type"})

VALUES = st.one_of(
    st.text(max_size=50),
    st.from_regex(r"[A-Za-z0-9._:-]{1,70}", fullmatch=True),
    st.sampled_from(
        [
            "audit",
            "released",
            "2026-11-21T22:00:00.000Z",
            "2026-13-21T22:00:00.000Z",
            "017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
            "017f22e2-79b0-4cc3-98c4-dc0c0c07398f",
            "A" * 43,
            "A" * 43 + "\n",
            "hmac-sha256:1:" + "A" * 43,
            "10.0.0.1",
            True,
            False,
            0,
            1,
            -1,
            2**53 - 1,
            2**53,
            (),
            ("name",),
            ("part2",),
            (1,),
            (("", "A" * 43, "Patient"),),
            (("A" * 43, "A" * 43),),
            (("A" * 43, "A" * 42, "Patient"),),
        ]
    ),
)


@given(st.sampled_from(NAMES), VALUES)
@settings(max_examples=1500, deadline=None)
def test_the_policy_admits_what_the_decoder_admits(name: str, value: Any) -> None:
    """A gap between the two would let a record in that nobody can read back."""
    fields: Any = {name: value}
    record: AuditLeaf = AuditEvent(event_type=EventType.PHI_READ, **fields)
    try:
        DECODER.decode(msgspec.json.encode(record))
    except (msgspec.MsgspecError, ValueError, OverflowError):
        with pytest.raises(InputError) as caught:
            check_fields(record, POLICY)

        assert caught.value.field == name
    else:
        check_fields(record, POLICY)


def test_a_code_may_be_a_member_or_its_text() -> None:
    """Callers of the SDK write the text, our own code the member."""
    for outcome in (Outcome.RELEASED, "released"):
        fields: Any = {"outcome": outcome}

        check_fields(AuditEvent(event_type=EventType.PHI_READ, **fields), POLICY)


def test_a_type_without_a_policy_is_a_defect_of_ours() -> None:
    """A new field of a new kind must get a check before it can be stored."""

    class Odd(msgspec.Struct):
        share: float

    with pytest.raises(TypeError, match="without a policy"):
        compile_policy(Odd)


def test_a_part_of_a_row_cannot_pose_as_several() -> None:
    """Rows are checked put end to end; what is put between them may not come in."""
    row = ("A" * 43, "A" * 43, "Patient")
    posing = ("A" * 43, "A" * 43, "Patient\x00" + "\x00".join(row))
    for records in ((posing,), (row, ("", "A" * 43)), ([*row],), ((1, *row[1:]),)):
        fields: Any = {"records": records}

        with pytest.raises(InputError) as caught:
            check_fields(AuditEvent(event_type=EventType.PHI_READ, **fields), POLICY)

        assert caught.value.field == "records"


def test_a_required_field_must_be_there() -> None:
    """`None` stands for absent, and some fields may not be."""
    missing: Any = None

    with pytest.raises(InputError, match="event_type: must be present"):
        check_fields(AuditEvent(event_type=missing), POLICY)
