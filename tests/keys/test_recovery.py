"""The recovery key comes back from its line or any two shares, or says why it does not."""

from dataclasses import replace
from itertools import combinations

import pytest
from shamir_mnemonic import Share  # type: ignore[import-untyped]  # ships no types

from phitrail.errors import InputError
from phitrail.events.protected import Protected
from phitrail.events.unprotect import unprotect
from phitrail.keys.recovery import (
    FEWEST_NEEDED,
    MOST_SHARES,
    WORDS_OF_A_SHARE,
    Split,
    make_recovery_key,
    make_recovery_shares,
    parse_split,
    read_recovery_key,
)

TENANT = "clinic.example"
PRIVATE, LINE = make_recovery_key(TENANT)
PUBLIC = PRIVATE.public_key().public_bytes_raw()
SHARED_PRIVATE, SHARED = make_recovery_shares(Split(2, 3))
SHARED_PUBLIC = SHARED_PRIVATE.public_key().public_bytes_raw()
SHARES_IN_CLEAR = tuple(map(unprotect, SHARED))


def read(written: str, public_key: bytes = SHARED_PUBLIC) -> bytes:
    """Read a key back; return its public half."""
    key = read_recovery_key(Protected(written), tenant=TENANT, public_key=public_key)
    return key.public_key().public_bytes_raw()


def refusal(written: str, public_key: bytes = SHARED_PUBLIC) -> str:
    """Have a text refused; no word of it may stand in the error or behind it."""
    with pytest.raises(InputError) as caught:
        read(written, public_key)
    told = str(caught.value)
    behind = repr(caught.value.__context__)
    for word in written.split():
        assert len(word) < 5 or (word not in told.split() and word not in behind)
    return told


def test_the_line_gives_the_key_back() -> None:
    """A key that cannot be read back after years is no recovery key."""
    assert read(unprotect(LINE) + "\n", PUBLIC) == PUBLIC


@pytest.mark.parametrize("pair", list(combinations(range(3), 2)))
def test_any_two_shares_give_the_key_back(pair: tuple[int, int]) -> None:
    """One of the three people may be gone when the key is needed."""
    first, second = (SHARES_IN_CLEAR[index] for index in pair)

    assert read(f"# share\n{second}\n\n{first.upper()}\n") == SHARED_PUBLIC


def test_shares_may_be_broken_over_lines_and_all_three_may_come() -> None:
    """People copy words from paper as they stand there."""
    words = " ".join(SHARES_IN_CLEAR).split()
    broken = "\n".join(" ".join(words[at : at + 7]) for at in range(0, len(words), 7))

    assert read(broken) == SHARED_PUBLIC
    assert {len(share.split()) for share in SHARES_IN_CLEAR} == {WORDS_OF_A_SHARE}


def test_shares_are_handed_out_masked() -> None:
    """A share in a log file is half of the key."""
    assert SHARES_IN_CLEAR[0].split()[4] not in repr(SHARED)


def test_too_few_shares_are_refused_with_their_rule() -> None:
    """The same share twice is one share."""
    share = SHARES_IN_CLEAR[0]

    assert "2 different shares are needed, and 1 were given" in refusal(share)
    assert "2 different shares are needed, and 1 were given" in refusal(
        f"{share}\n{share}"
    )


def test_a_mistyped_or_missing_word_is_refused_by_the_share_s_number() -> None:
    """Whoever typed 66 words must know where to look."""
    first, second = SHARES_IN_CLEAR[:2]
    words = second.split()
    words[10], words[20] = words[20], words[10]

    assert "share 2 of those given" in refusal(f"{first}\n{' '.join(words)}")
    assert "32 words were given" in refusal(" ".join(words[:-1]))
    assert "share 1 of those given" in refusal(" ".join(["zzzzzz"] * 33))


@pytest.mark.parametrize("split", [Split(2, 2), Split(3, 5), Split(16, 16)], ids=str)
def test_any_k_of_n_shares_give_the_key_back_and_fewer_do_not(split: Split) -> None:
    """A house says how many must agree; it stands in the shares, not in a file."""
    private, handed_out = make_recovery_shares(split)
    public = private.public_key().public_bytes_raw()
    shares = list(map(unprotect, handed_out))
    fewer = "\n".join(shares[: split.needed - 1])

    assert len(shares) == split.shares
    assert read("\n".join(shares[-split.needed :]), public) == public
    assert f"{split.needed} different shares are needed" in refusal(fewer, public)


def test_shares_of_two_splits_are_refused() -> None:
    """A share that says two are enough must not lower what the others ask for."""
    _, others = make_recovery_shares(Split(3, 5))

    assert "of different keys" in refusal(
        f"{SHARES_IN_CLEAR[0]}\n{unprotect(others[1])}"
    )


@pytest.mark.parametrize(
    "written", ["2of3", f"{FEWEST_NEEDED}of{MOST_SHARES}", "16of16"]
)
def test_a_split_reads_as_it_is_written(written: str) -> None:
    """What stands in a script of last year must mean the same."""
    assert str(parse_split(written)) == written


@pytest.mark.parametrize(
    "written", ["", "2", "1of3", "4of3", "2of17", "0of0", "2 of 3", "02of3", "2of3\n"]
)
def test_what_is_no_split_is_refused(written: str) -> None:
    """One share that gives the key is the key; nobody may get that by a slip."""
    with pytest.raises(InputError, match="--recovery-shares: must be KofN, as 2of3"):
        parse_split(written)


def test_shares_of_two_keys_are_refused() -> None:
    """Two tenants of one house may keep their shares in one safe."""
    _, others = make_recovery_shares(Split(2, 3))
    mixed = f"{SHARES_IN_CLEAR[0]}\n{unprotect(others[1])}"

    assert "of different keys" in refusal(mixed)


def test_shares_that_do_not_fit_together_are_refused() -> None:
    """Somebody may make a share of his own, with a checksum that holds."""
    forged = replace(Share.from_mnemonic(SHARES_IN_CLEAR[1]), value=bytes(32))

    assert "do not fit together" in refusal(
        f"{SHARES_IN_CLEAR[0]}\n{forged.mnemonic()}"
    )


def test_another_key_is_refused_however_it_comes() -> None:
    """A wrong key must fail before anything is signed with it."""
    both = "\n".join(SHARES_IN_CLEAR[:2])

    assert "the genesis of this trail pins" in refusal(both, PUBLIC)
    assert "the genesis of this trail pins" in refusal(unprotect(LINE))


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (lambda _: " \n# nothing\n", "is empty"),
        (lambda line: line.replace(TENANT, "other.example"), "another tenant"),
        (lambda line: line.replace("v1", "v2"), "must be one line"),
        (lambda line: f"{line}\nabandon", "must be one line"),
        (lambda line: line[:-3], "cut or mistyped"),
        (lambda line: f"{line}é", "cut or mistyped"),
    ],
    ids=["empty", "tenant", "version", "more", "cut", "no-ascii"],
)
def test_a_damaged_line_is_refused_with_its_rule(spoil: object, rule: str) -> None:
    """The person with the line must learn what to look for."""
    assert callable(spoil)

    assert rule in refusal(spoil(unprotect(LINE)), PUBLIC)
