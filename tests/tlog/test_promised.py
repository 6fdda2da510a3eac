"""A log is held to what it promised; nothing that its host shows can hide a difference."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tlog.trees import FEW, node_in_memory, number_entries

from phitrail.errors import IntegrityError
from phitrail.tlog.checkpoint import Checkpoint
from phitrail.tlog.hashing import Hash, hash_leaf
from phitrail.tlog.merkle import tree_root
from phitrail.tlog.promised import Shown, find_break, find_unkept
from phitrail.tlog.receipt import Position

LEAVES = [hash_leaf(one) for one in number_entries(1100)]
OTHER = Hash(bytes(32))
SIZES = st.integers(1, len(LEAVES))


def head_of(leaves: Sequence[Hash], origin: str = "t/audit") -> Checkpoint:
    """Give the head of a tree."""
    return Checkpoint(origin, len(leaves), tree_root(leaves))


def shown(leaves: Sequence[Hash]) -> Shown:
    """Show a log out of memory."""
    return Shown(b"note", head_of(leaves), node_in_memory(leaves))


def places(*indexes: int) -> list[Position]:
    """Name entries as they were acknowledged."""
    return [Position("audit", index, LEAVES[index]) for index in indexes]


@FEW
@given(SIZES, SIZES, st.data())
def test_every_larger_log_keeps_every_promise(
    one: int, other: int, data: st.DataObject
) -> None:
    """A promise that was kept must never be called broken, at any pair of sizes."""
    old, new = sorted((one, other))
    now = shown(LEAVES[:new])
    indexes = data.draw(st.lists(st.integers(0, old - 1), max_size=5))

    assert find_break(head_of(LEAVES[:old]), now) is None
    assert find_unkept(places(*indexes), now) == []


@FEW
@given(SIZES, SIZES, st.data())
def test_one_altered_entry_breaks_the_promise(
    one: int, other: int, data: st.DataObject
) -> None:
    """A history that was rewritten and signed anew has another root at the old size."""
    old, new = sorted((one, other))
    at = data.draw(st.integers(0, old - 1))
    rewritten = [*LEAVES[:at], OTHER, *LEAVES[at + 1 : new]]
    now = shown(rewritten)

    assert f"another root at size {old} " in str(find_break(head_of(LEAVES[:old]), now))
    assert find_unkept(places(at), now) == places(at)


def test_a_smaller_log_broke_its_promise() -> None:
    """A cut tail has no root at the promised size at all."""
    found = find_break(head_of(LEAVES[:9]), shown(LEAVES[:8]))

    assert found is not None
    assert "promised 9 entries and has 8: its tail was cut" in found


def test_another_log_in_its_place_is_named() -> None:
    """Two logs with the same entries are still two."""
    found = find_break(head_of(LEAVES[:3], "t/quality"), shown(LEAVES[:3]))

    assert found is not None
    assert "another log took its place" in found


def test_wrong_nodes_neither_acquit_nor_convict() -> None:
    """A host that answers with the old nodes under a new head must not pass."""
    old, new = LEAVES[:600], [OTHER, *LEAVES[1:700]]
    lying = replace(shown(new), node=node_in_memory(LEAVES[:700]))

    with pytest.raises(IntegrityError, match="another new root"):
        find_break(head_of(old), lying)
    with pytest.raises(IntegrityError, match="another root"):
        find_unkept(places(0), lying)
