"""A predicate of which one field is known: what is left must come to the same."""

from hypothesis import given as cases
from hypothesis import strategies as st

from phitrail.detect import typed
from phitrail.detect.match import compile_predicate, given
from phitrail.detect.typed import All, Any, Not, Op, Predicate

FIELDS, TEXTS = st.sampled_from("xy"), st.sampled_from("abc")
TESTS = st.one_of(
    st.builds(typed.Test, FIELDS, st.just(Op.EQ), TEXTS),
    st.builds(typed.Test, FIELDS, st.just(Op.EXISTS), st.booleans()),
    st.just(typed.Test("x", Op.FIELDREF, "y")),
)
TREES: st.SearchStrategy[Predicate] = st.recursive(
    TESTS,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(All, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Any, st.lists(inner, min_size=1, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)


def plain(predicate: Predicate, row: dict[str, str | None]) -> bool:
    """Say in the plainest way whether a row fits."""
    if isinstance(predicate, typed.Test):
        value = row[predicate.field]
        if predicate.op is Op.EXISTS:
            return (value is not None) is predicate.value
        wanted = row["y"] if predicate.op is Op.FIELDREF else predicate.value
        return value is not None and value == wanted
    if isinstance(predicate, Not):
        return not plain(predicate.of, row)
    parts = [plain(one, row) for one in predicate.of]
    return all(parts) if isinstance(predicate, All) else any(parts)


@cases(tree=TREES, x=st.none() | TEXTS, y=st.none() | TEXTS)
def test_what_is_left_comes_to_the_same(
    tree: Predicate, x: str | None, y: str | None
) -> None:
    """The tail decides by event type first: a row must not be lost or gained by it."""
    row = {"x": x, "y": y}

    left = given(tree, "x", x)

    told = left if isinstance(left, bool) else compile_predicate(left)(row)
    assert told == plain(tree, row)
    assert compile_predicate(tree)(row) == plain(tree, row)
