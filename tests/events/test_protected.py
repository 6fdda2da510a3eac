"""A protected value does not print, in any of the ways that Python prints."""

import copy
import json
import logging
import pickle

import msgspec
import pytest

from phitrail.events.protected import MASK, Protected
from phitrail.events.unprotect import unprotect

CANARY = "MRN-4711-canary"


def test_no_way_of_printing_shows_the_value(caplog: pytest.LogCaptureFixture) -> None:
    """An identifier in a log line is the second PHI store that we exist to avoid."""
    value = Protected(CANARY)

    with caplog.at_level(logging.INFO):
        logging.getLogger("t").info("%s %r", value, [value])
    shown = [str(value), repr(value), f"{value}", f"{value!r:>20}", "%s" % value]  # noqa: UP031

    assert CANARY not in "".join(shown) + caplog.text
    assert str(value) == MASK


def test_encoders_and_pickle_refuse() -> None:
    """Nothing serialises an identifier by accident."""
    value = Protected(CANARY)

    with pytest.raises(TypeError) as in_pickle:
        pickle.dumps(value)
    with pytest.raises(TypeError) as in_json:
        json.dumps(value)
    with pytest.raises(TypeError) as in_msgspec:
        msgspec.json.encode(value)

    for caught in (in_pickle, in_json, in_msgspec):
        assert CANARY not in str(caught.value)


def test_values_compare_and_open() -> None:
    """Records that hold them can be compared, and the one opener opens them."""
    value = Protected(CANARY)

    assert value == Protected(CANARY)
    assert value != Protected("other")
    assert value != CANARY
    assert {value} == {Protected(CANARY)}
    assert unprotect(value) == CANARY
    with pytest.raises(TypeError):
        copy.copy(value)
