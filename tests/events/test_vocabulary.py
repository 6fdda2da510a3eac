"""Terms come from the tenant's lists; nobody can spell a name into them."""

import msgspec
import pytest

from phitrail.errors import InputError
from phitrail.events import shapes
from phitrail.events.alert import Alert
from phitrail.events.audit import AuditEvent, AuditLeaf
from phitrail.events.codes import EventType
from phitrail.events.quality import QualityEntry, Rollout
from phitrail.events.security import SecurityEvent
from phitrail.events.vocabulary import FIELDS_OF_LIST, LIST_OF_FIELD, Vocabulary

VOCABULARY = Vocabulary.from_lists(
    {"roles": frozenset({"nurse"}), "phi_fields": frozenset({"name", "birth_date"})}
)


def test_a_term_outside_the_list_is_refused_naming_field_and_file() -> None:
    """`zebulon` has the shape of a term and is none."""
    record: AuditLeaf = AuditEvent(event_type=EventType.PHI_READ, user_role="zebulon")

    with pytest.raises(InputError) as caught:
        VOCABULARY.check(record)

    assert caught.value.field == "user_role"
    assert "tenant.yaml" in str(caught.value)
    assert "zebulon" not in str(caught.value)


def test_every_item_of_a_list_must_be_a_term() -> None:
    """One known field name does not carry an unknown one through."""
    record: AuditLeaf = AuditEvent(
        event_type=EventType.PHI_READ, phi_fields_accessed=("name", "zebulon")
    )

    with pytest.raises(InputError, match="phi_fields_accessed"):
        VOCABULARY.check(record)


def test_listed_terms_absent_fields_and_our_own_terms_pass() -> None:
    """What the tenant lists and what phitrail writes itself is admitted."""
    record: AuditLeaf = AuditEvent(
        event_type=EventType.PHI_READ,
        user_role="nurse",
        phi_fields_accessed=("name",),
        service_component="phitrail-sdk",
    )

    VOCABULARY.check(record)


def test_an_unknown_list_is_refused() -> None:
    """A typing mistake in tenant.yaml must not admit nothing silently."""
    with pytest.raises(InputError, match=r"vocabulary\.role"):
        Vocabulary.from_lists({"role": frozenset()})


@pytest.mark.parametrize(
    "kind", [AuditEvent, SecurityEvent, QualityEntry, Rollout, Alert]
)
def test_every_field_of_the_shape_term_has_a_list(kind: type[msgspec.Struct]) -> None:
    """A new Term field without a list would admit any lower-case name."""
    listed = set(LIST_OF_FIELD)
    for field in msgspec.structs.fields(kind):
        if repr(shapes.Term) in repr(field.type):
            assert field.name in listed, field.name


def test_no_field_stands_in_two_lists() -> None:
    """The table is turned round to look lists up by field."""
    fields = [field for fields in FIELDS_OF_LIST.values() for field in fields]

    assert len(fields) == len(set(fields))
