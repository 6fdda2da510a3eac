"""Every sentence of a statement says what a field says, in its number and case."""

from msgspec.structs import replace

from phitrail.evidence.completeness_statement import (
    Compared,
    Counted,
    EpochSaid,
    Known,
    Missing,
    MissingNumbers,
    OpenAccesses,
    Received,
    Reconciled,
    Scope,
    Silent,
    Spooled,
    Support,
    Thresholds,
)
from phitrail.evidence.completeness_words import words_of

NOTHING = Missing(
    numbers=0,
    gaps=(),
    healed=0,
    doubled=0,
    silent=(),
    silent_count=0,
    crashed=(),
    crashed_count=0,
    unproven=(),
    unproven_count=0,
    unheard=(),
    spooled=(),
    spooled_count=0,
)
EMPTY = Known(
    tenant="clinic.example",
    trail_id="t",
    scope=Scope(since="S", until="U"),
    known_at="K",
    as_of=(),
    thresholds=Thresholds(
        silent_after_ms=180_000, late_after_ms=300_000, unclosed_after_ms=3_600_000
    ),
    received=Received(
        total=Counted(events=0, accesses=0),
        by_assurance={},
        numbered=0,
        unnumbered=0,
        after_window=0,
        late=0,
        others=0,
    ),
    missing=NOTHING,
    reconciled=Reconciled(
        state="neither numbered nor reconciled", comparisons=(), comparison_count=0
    ),
    open=OpenAccesses(count=0, treated_as_released=0, oldest=()),
)
EPOCH = EpochSaid(source="gateway", epoch=1, first_at="A", last_at="B", why="why")
ANCHORED = Support(
    log="audit",
    size=10,
    published=10,
    anchored=10,
    anchored_by=("witness",),
    contradicted_by=(),
)


def test_an_empty_window_claims_nothing() -> None:
    """Where nothing was numbered, "nothing is missing" would be a claim."""
    words = words_of(EMPTY, [])

    assert "holds 0 events of the use of PHI and models, in 0 accesses" in words
    assert "so what is missing is not known" in words
    assert "nothing is known to be missing" not in words
    assert "neither numbered nor reconciled" in words
    assert "is closed" not in words


def test_all_that_can_be_missing_is_said() -> None:
    """A field that no sentence says is read by nobody."""
    missing = Missing(
        numbers=1,
        gaps=(
            MissingNumbers(
                source="assistant", epoch=1, first=3, last=3, noticed_at="N"
            ),
        ),
        healed=2,
        doubled=3,
        silent=(Silent(source="batch", epoch=1, since="A", until="B"),),
        silent_count=1,
        crashed=(EPOCH,),
        crashed_count=2,
        unproven=(EPOCH,),
        unproven_count=1,
        unheard=("ehr", "portal", "kiosk"),
        spooled=(
            Spooled(
                since="A", until=None, replayed_at=None, events=None, is_whole=None
            ),
            Spooled(since="A", until="B", replayed_at="C", events=7, is_whole=False),
        ),
        spooled_count=2,
    )
    scope = replace(EMPTY.scope, user="dr-1", source="batch")
    words = words_of(replace(EMPTY, missing=missing, scope=scope), [])

    for sentence in (
        "about user dr-1 and source batch",
        "1 event of assistant got a number and is in no log.",
        "3 events carry a number that another has.",
        "batch should have been heard and was silent 1 time.",
        "2 processes of gateway ended without a closing",
        "1 process numbered for gateway without proof of its credential",
        "Nothing was heard of ehr, portal and kiosk",
        "2 times the log was out of reach and a spool took the events.",
        "7 events came from there into the log later.",
        "Of 1 spool nothing says that it was replayed.",
        "Of 1 spool the log refused a part.",
        "cannot be attributed to a person",
        "2 numbers told missing came after all.",
    ):
        assert sentence in words, sentence


def test_late_and_unclosed_ones_are_said() -> None:
    """What came late, or nobody knows the end of, changes what a count is worth."""
    received = replace(
        EMPTY.received,
        total=Counted(events=9, accesses=4),
        by_assurance={"enforced": Counted(events=9, accesses=4)},
        numbered=9,
        late=5,
        after_window=2,
    )
    left = OpenAccesses(count=2, treated_as_released=1, oldest=())
    words = words_of(replace(EMPTY, received=received, open=left), [])

    assert "5 came more than 300 seconds after their own time." in words
    assert "2 came only after the window had ended." in words
    assert "2 accesses opened in it never closed." in words
    assert "Of 1 the outcome is unknown" in words


def test_a_comparison_that_agrees_is_said_with_what_it_covers() -> None:
    """A part that was compared says nothing of the rest."""
    one = Compared(
        index=1,
        at="T",
        by="access",
        since="A",
        until="B",
        agrees=True,
        matched=3,
        theirs_only=0,
        ours_only=0,
        refused=0,
    )
    part = Reconciled(state="partly reconciled", comparisons=(one,), comparison_count=1)
    words = words_of(replace(EMPTY, reconciled=part), [])

    assert "1 time, over a part of the window. Every comparison agreed." in words


def test_what_supports_each_log_is_said() -> None:
    """Unanchored, partly anchored and contradicted are three different things."""
    support = [
        replace(ANCHORED, verified=10, findings=0),
        replace(ANCHORED, log="security", anchored=6, verified=9, findings=2),
        replace(ANCHORED, log="quality", contradicted_by=("mail",), verified=10),
    ]
    words = words_of(EMPTY, support)

    for sentence in (
        "Of the audit log 10 of 10 entries are held outside by witness.",
        "Of the security log 6 of 10 entries are held outside by witness; the rest",
        "mail outside holds another history of the quality log.",
        "The first 10 entries of the audit log were derived anew and agree.",
        "The security log does not verify: 2 findings.",
    ):
        assert sentence in words, sentence
