"""A surrogate commits to tenant, system and identifier, and to nothing else."""

import hashlib
import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phitrail.errors import IntegrityError
from phitrail.identity.surrogate import (
    check_opening,
    compute_surrogate,
    parse_surrogate,
    subject_bytes,
    written_surrogate,
)

SALT = bytes(range(32))


def test_the_commitment_is_the_one_that_the_design_names() -> None:
    """An investigator computes it with any HMAC, years later."""
    said = b'["phitrail/subject/v1","clinic.example","mrn","M-1"]'
    expected = hmac.new(SALT, said, hashlib.sha256).digest()

    assert said == subject_bytes("clinic.example", "mrn", "M-1")
    assert expected == compute_surrogate(SALT, said)


def test_identifiers_meet_in_nfc() -> None:
    """Two spellings of one name on two screens must be one person."""
    assert subject_bytes("t", "mrn", "é") == subject_bytes("t", "mrn", "e\u0301")


@pytest.mark.parametrize(
    "other", [("u", "mrn", "M-1"), ("t", "ehr", "M-1"), ("t", "mrn", "M-2")]
)
def test_tenant_system_and_identifier_all_count(other: tuple[str, str, str]) -> None:
    """A record must not pass for a patient, nor one tenant's for another's."""
    assert subject_bytes("t", "mrn", "M-1") != subject_bytes(*other)


def test_identifier_and_salt_open_a_surrogate_and_nothing_else_does() -> None:
    """A claim about whose record it was must be checkable, and falsifiable."""
    subject = subject_bytes("t", "mrn", "M-1")
    surrogate = compute_surrogate(SALT, subject)

    check_opening(surrogate, SALT, subject)
    for salt, said in ((bytes(32), subject), (SALT, subject_bytes("t", "mrn", "M-2"))):
        with pytest.raises(IntegrityError, match="do not open"):
            check_opening(surrogate, salt, said)


@settings(max_examples=50, deadline=None)
@given(st.binary(min_size=1, max_size=40))
def test_a_written_surrogate_reads_back(data: bytes) -> None:
    """A surrogate that changes on the way names nobody."""
    assert data == parse_surrogate(written_surrogate(data))
