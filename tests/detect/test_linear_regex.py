"""Expressions are kept to what both executors read alike, in linear time."""

import re
import time

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phitrail.detect.linear_regex import MOST_BITS, MOST_CHARS, check_regex
from phitrail.detect.source import Place
from phitrail.errors import InputError

CANARY = "CanaryTheFirst"
PLACE = Place("my.yml", 9, 5)
ADMITTED = [
    "abc",
    "^abc$",
    "a.c",
    "a*b+c",
    "[a-z]{2,4}x",
    "[^0-9_.:/@ -]+",
    r"\d\d-\w+\s",
    r"\.\*\[\]\\",
    "(a|b)c",
    "(?:a|b|c)",
    "x{3}",
    "x{3,}y",
    r"^hmac-sha256:[0-9]{1,6}:",
    "((a))",
]
REFUSED = [
    "(a+)+",
    "(a|b)*",
    "(a)?",
    "(ab){2}",
    "(?:a)+",
    "(?=a)b",
    "(?!a)b",
    "(?<=a)b",
    "(?P<x>a)",
    "(?i)a",
    r"(a)\1",
    r"\bword",
    r"\Aa\Z",
    r"\x41",
    r"\u0041",
    r"\p{L}",
    "a++",
    "a*?",
    "a{2}{3}",
    "[a",
    "a]",
    "a{",
    "a{1,2",
    "}",
    "(a",
    "a)",
    "(" * 3 + "a",
    "*a",
    "",
    "é",
    "a\x00b",
    "x" * (MOST_CHARS + 1),
    "a*a*a*",
    "a+b{2,}c*",
    "a*b*c?d?",
    "a?" * (MOST_BITS + 1),
    "a{0,1}" * (MOST_BITS + 1),
    "a{1,40}b{1,40}c{1,40}",
    "(a|a)" * (MOST_BITS + 1),
    "((a|b)|(c|d)|(e|f)|(g|h)|(i|j)|(k|l)|(m|n)|(o|p)|(q|r))",
    "[z-a]",
    "a{5,2}",
    "[[:alpha:]]",
    "^*",
    "a|*",
]


@pytest.mark.parametrize("pattern", ADMITTED)
def test_what_both_executors_read_is_admitted(pattern: str) -> None:
    """A house must be able to write what it needs."""
    check_regex(pattern, PLACE)

    assert duckdb.execute("SELECT regexp_matches('x', ?)", [pattern]).fetchone()


@pytest.mark.parametrize("pattern", REFUSED)
def test_what_may_run_for_ever_or_mean_two_things_is_refused(pattern: str) -> None:
    """One rule with a slow expression stops them all."""
    with pytest.raises(InputError) as refused:
        check_regex(pattern, PLACE)

    assert str(refused.value).startswith("my.yml:9:5: re")


def test_an_expression_is_not_quoted() -> None:
    """It may hold the name of somebody."""
    with pytest.raises(InputError) as refused:
        check_regex(f"({CANARY})+", PLACE)

    assert "character" in str(refused.value)
    assert CANARY not in str(refused.value)
    assert refused.value.__context__ is None


atoms = st.sampled_from(
    [
        "a",
        "b",
        ".",
        "[ab]",
        "[^a]",
        r"\d",
        r"\w",
        r"\.",
        "_",
        "1",
        "(a|b)",
        "^",
        "$",
        "|",
    ]
)
repeats = st.sampled_from(["", "", "", "*", "+", "?", "{1,2}", "{2}", "{2,}"])
patterns = st.lists(st.tuples(atoms, repeats).map("".join), min_size=1, max_size=6).map(
    "".join
)


@settings(max_examples=300, deadline=None)
@given(pattern=patterns, text=st.text("ab1_. -", max_size=8))
def test_what_is_admitted_means_the_same_to_both(pattern: str, text: str) -> None:
    """The tail searches in Python, history in RE2; no field holds a line break."""
    try:
        check_regex(pattern, PLACE)
    except InputError:
        return
    (by_history,) = duckdb.execute(
        "SELECT regexp_matches(?, ?)", [text, pattern]
    ).fetchone() or (None,)

    assert by_history == (re.search(pattern, text, re.ASCII) is not None)


SLOW = ["a*a*b", "a?" * MOST_BITS + "a" * MOST_BITS + "b", "(a|a)" * MOST_BITS + "b",
        "a{0,99}a{0,99}b", "a|" * 100 + "b"]  # fmt: skip


@pytest.mark.parametrize("pattern", SLOW)
def test_the_slowest_that_is_admitted_is_quick_on_a_long_field(pattern: str) -> None:
    """A field has at most 128 characters, and an alert must not wait for one of them."""
    check_regex(pattern, PLACE)
    compiled = re.compile(pattern.replace("|b", "|c"), re.ASCII)
    begun = time.process_time()
    compiled.search("a" * 128)

    assert time.process_time() - begun < 1
