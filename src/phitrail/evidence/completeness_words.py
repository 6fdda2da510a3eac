"""The completeness statement in one paragraph of plain words.

Every sentence says what a field of the statement says, and no sentence says more. What
nobody can know is said as such: a system that has no source and that nobody compared would
not be missed, and a missing number belongs to nobody.
"""

from collections.abc import Iterator, Sequence

from phitrail.evidence.completeness_statement import Known, Missing, Support


def words_of(known: Known, support: Sequence[Support]) -> str:
    """Write the paragraph."""
    return " ".join(
        [
            *_received(known),
            *_missing(known),
            *_open(known),
            *_reconciled(known),
            *_support(support),
        ]
    )


def _received(known: Known) -> Iterator[str]:
    scope, received = known.scope, known.received
    of = [
        f"{name} {value}"
        for name, value in (
            ("patient", scope.patient),
            ("user", scope.user),
            ("source", scope.source),
        )
        if value is not None
    ]
    about = f" about {' and '.join(of)}" if of else ""
    yield (
        f"Between {scope.since} and {scope.until} (UTC, by the callers' clocks) the audit "
        f"log of {known.tenant} holds {_count(received.total.events, 'event')} of the use "
        f"of PHI and models{about}, in {_count(received.total.accesses, 'access')}, as "
        f"known at {known.known_at}."
    )
    if received.total.events:
        kinds = ", ".join(
            f"{one.events} {name}"
            for name, one in sorted(received.by_assurance.items())
        )
        yield f"By how they came to be, these are: {kinds}."
        yield (
            "All of them have a number of their source."
            if not received.unnumbered
            else f"{received.unnumbered} of them without a number of a source: if others "
            "like them were lost or never recorded, nothing here would show it."
        )
    if received.late:
        yield (
            f"{received.late} came more than {known.thresholds.late_after_ms / 1000:g} "
            "seconds after their own time."
        )
    if received.after_window:
        yield f"{received.after_window} came only after the window had ended."


def _missing(known: Known) -> Iterator[str]:
    missing = known.missing
    said = list(_what_is_missing(missing))
    if said:
        yield from said
        if known.scope.patient is not None or known.scope.user is not None:
            yield (
                "What is missing cannot be attributed to a person: all of it is counted "
                "here, and any of it may concern the one asked about."
            )
    elif known.received.numbered:
        yield (
            "Of the systems that number what they record, nothing is known to be missing."
        )
    else:
        yield "No system numbered what it recorded here, so what is missing is not known."
    if missing.healed:
        yield f"{_count(missing.healed, 'number')} told missing came after all."


def _what_is_missing(missing: Missing) -> Iterator[str]:
    if missing.numbers:
        sources = sorted({gap.source for gap in missing.gaps})
        yield (
            f"{_count(missing.numbers, 'event')} of {_and(sources)} got a number and "
            f"{'is' if missing.numbers == 1 else 'are'} in no log."
        )
    if missing.doubled:
        yield f"{_count(missing.doubled, 'event')} carry a number that another has."
    if missing.silent_count:
        sources = sorted({one.source for one in missing.silent})
        yield (
            f"{_and(sources)} should have been heard and was silent "
            f"{_count(missing.silent_count, 'time')}."
        )
    if missing.crashed_count:
        sources = sorted({one.source for one in missing.crashed})
        yield (
            f"{_count(missing.crashed_count, 'process')} of {_and(sources)} "
            "ended without a closing; what it did after its last number, nobody knows."
        )
    if missing.unproven_count:
        sources = sorted({one.source for one in missing.unproven})
        yield (
            f"{_count(missing.unproven_count, 'process')} numbered for "
            f"{_and(sources)} without proof of its credential: who recorded there is "
            "unknown."
        )
    if missing.unheard:
        yield f"Nothing was heard of {_and(missing.unheard)}, which is registered."
    yield from _spooled(missing)


def _spooled(missing: Missing) -> Iterator[str]:
    if not missing.spooled_count:
        return
    yield (
        f"{_count(missing.spooled_count, 'time')} the log was out of reach and a spool took "
        "the events."
    )
    replayed = sum(one.events or 0 for one in missing.spooled)
    yield f"{_count(replayed, 'event')} came from there into the log later."
    unfinished = sum(one.replayed_at is None for one in missing.spooled)
    if unfinished:
        yield f"Of {_count(unfinished, 'spool')} nothing says that it was replayed."
    refused = sum(one.is_whole is False for one in missing.spooled)
    if refused:
        yield f"Of {_count(refused, 'spool')} the log refused a part."


def _open(known: Known) -> Iterator[str]:
    left = known.open
    if not left.count:
        if known.received.total.accesses:
            yield "Every access that was opened in it is closed."
        return
    yield f"{_count(left.count, 'access')} opened in it never closed."
    if left.treated_as_released:
        yield (
            f"Of {left.treated_as_released} the outcome is unknown, and they are treated "
            "as released."
        )


def _reconciled(known: Known) -> Iterator[str]:
    reconciled = known.reconciled
    if not reconciled.comparisons:
        yield (
            f"The record is {reconciled.state}: a system that went past phitrail would "
            "show nowhere in it."
        )
        return
    differ = [one for one in reconciled.comparisons if not one.agrees]
    part = "the whole" if reconciled.state == "reconciled" else "a part"
    yield (
        f"It was compared with somebody else's count "
        f"{_count(reconciled.comparison_count, 'time')}, over {part} of the window."
    )
    if not differ:
        yield "Every comparison agreed."
    for one in differ:
        yield (
            f"The comparison of {one.at} differed: {one.theirs_only} only they have, "
            f"{one.ours_only} only this log has, {one.refused} could not be read, "
            f"{one.matched} matched."
        )


def _support(support: Sequence[Support]) -> Iterator[str]:
    alone = [one for one in support if not one.anchored and not one.contradicted_by]
    if alone:
        yield (
            f"Nothing outside this host supports the {_logs(alone)}: consistent with "
            "itself at most."
        )
    for one in support:
        if one.contradicted_by:
            yield (
                f"{_and(one.contradicted_by)} outside holds another history of the "
                f"{one.log} log."
            )
        elif one.anchored:
            whole = "" if one.anchored == one.size else "; the rest is not anchored yet"
            yield (
                f"Of the {one.log} log {one.anchored} of "
                f"{_count(one.size, 'entry')} are held outside by "
                f"{_and(one.anchored_by)}{whole}."
            )
    if any(one.verified is None for one in support):
        yield "The logs were not derived anew for this statement."
        return
    for one in support:
        if one.findings:
            yield (
                f"The {one.log} log does not verify: {_count(one.findings, 'finding')}."
            )
        else:
            yield (
                f"The first {_count(one.verified or 0, 'entry')} of the {one.log} log "
                "were derived anew and agree."
            )


def _logs(some: Sequence[Support]) -> str:
    return f"{_and([one.log for one in some])} {'log' if len(some) == 1 else 'logs'}"


_PLURALS = {"access": "accesses", "process": "processes", "entry": "entries"}


def _count(count: int, one: str) -> str:
    return f"{count} {one if count == 1 else _PLURALS.get(one, one + 's')}"


def _and(names: Sequence[str]) -> str:
    names = list(names)
    if len(names) < 2:  # noqa: PLR2004 - a list of one needs no "and"
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
