"""Tokens: every sign that is no white space belongs to just one."""

from hypothesis import given
from hypothesis import strategies as st

from phitrail.guard.tokens import TOKEN, tokenize


@given(st.text())
def test_tokens_are_what_stands_at_their_places_in_order(text: str) -> None:
    """A wrong place would redact the wrong letters."""
    tokens = tokenize(text)

    assert [m[0] for m in TOKEN.finditer(text)] == tokens.words
    assert [m.span() for m in TOKEN.finditer(text)] == list(
        zip(tokens.starts, tokens.ends, strict=True)
    )


@given(st.text())
def test_no_sign_is_lost(text: str) -> None:
    """A letter outside every token could never be redacted by the tagger."""
    tokens = tokenize(text)
    covered = {
        place
        for start, end in zip(tokens.starts, tokens.ends, strict=True)
        for place in range(start, end)
    }

    assert all(
        place in covered or sign.isspace() or not sign.isalnum()
        for place, sign in enumerate(text)
    )


def test_a_possessive_does_not_belong_to_the_name() -> None:
    """`Kim's` and `Kim` must be one word to the lists."""
    assert tokenize("Kim's O'Dwyer 4th x_y").words == [
        "Kim", "'", "s", "O'Dwyer", "4", "th", "x", "_", "y",
    ]  # fmt: skip


def test_what_stands_before_a_word_is_told() -> None:
    """A name at the beginning of a line is told by that."""
    assert tokenize("a b\nc\n \nd. e").gaps.tolist() == [3, 1, 2, 3, 0, 1]


def test_nothing_that_prints_tokens_prints_the_text() -> None:
    """Tokens end up in somebody's traceback one day."""
    assert "Quist" not in repr(tokenize("Quist"))
