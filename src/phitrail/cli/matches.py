"""What `log match` prints: where a text stands, or how far "not in this log" reaches."""

from pathlib import Path
from typing import Any

from phitrail.app.matching import Matched, Matching, fields_of
from phitrail.capture.text_match import MatchedForm
from phitrail.cli.output import Output
from phitrail.tlog.spelling import print_base64

_FIELDS = (
    "event_id",
    "part",
    "event_type",
    "timestamp_utc",
    "user_id",
    "use_case",
    "access_id",
    "outcome",
    "assurance",
)
_WORDS = {
    MatchedForm.EXACT: "exact",
    MatchedForm.EXACT_WITHOUT_LINE_BREAK: "exact, without the final line break",
    MatchedForm.EXACT_WITH_LINE_BREAK: "exact, with a final line break",
    MatchedForm.NORMALISED: "normalised: same words, not the same bytes",
}

_COMPROMISED = (
    "a match under a compromised version of the text key: somebody else may have that key, "
    "and can try texts against the hashes of the log as you did; the entry itself is proven"
)


def print_matching(output: Output, matching: Matching, prove: Path | None) -> None:
    """Print what was found, and how far the search reached."""
    objects = [_object(matching, matched, prove) for matched in matching.entries]
    seen = matching.seen
    if output.as_json:
        output.data(
            {
                "match": matching.side,
                "log": matching.log,
                "is_found": bool(objects),
                "entries": objects,
                "has_more": seen.has_more,
                "as_of": {matching.log: seen.size},
                "key_versions": matching.key_versions,
                "entries_without_hash": seen.without_hash,
                "entries_under_other_key_versions": seen.other_versions,
            }
        )
        return
    for matched, fields in zip(matching.entries, objects, strict=True):
        fields["form"] = _WORDS[matched.form]
        output.facts([pair for pair in fields.items() if pair[1] is not None])
        output.line()
    if not objects:
        output.line(f"not in this log: no {matching.side} of {matching.log} matches")
    if any(matched.is_compromised for matched in matching.entries):
        output.say(_COMPROMISED)
    output.say(_reach(matching))
    if seen.has_more:
        output.say("more entries match; ask for more with -n")


def _object(matching: Matching, matched: Matched, prove: Path | None) -> dict[str, Any]:
    fields = fields_of(matched.proven)
    named = {} if matched.model is None else fields_of(matched.model)
    index = matched.proven.entry.index
    proof = f"{matching.log}-{index}.tlog-proof"
    return {
        "log": matching.log,
        "index": index,
        "form": matched.form,
        "key_version": matched.key_version,
        "key_is_compromised": matched.is_compromised,
        **{name: fields.get(name) for name in _FIELDS},
        "ai_model_id": named.get("ai_model_id"),
        "ai_model_version": named.get("ai_model_version"),
        "model_index": None if matched.model is None else matched.model.entry.index,
        "leaf_hash": print_base64(matched.proven.entry.leaf_hash),
        "checkpoint_size": matched.proven.proven.checkpoint.size,
        "proof": None if prove is None else str(prove / proof),
    }


def _reach(matching: Matching) -> str:
    """Say how far the search reached, and what it could not have found."""
    seen = matching.seen
    versions = ", ".join(map(str, matching.key_versions))
    looked = (
        f"looked through {seen.size} entries of {matching.log} under key versions "
        f"{versions}, exact and normalised; {len(matching.entries)} match"
    )
    lines = [looked]
    if seen.without_hash:
        lines.append(
            f"cannot match: {seen.without_hash} with no hash of a {matching.side} "
            "(recorded or imported without the text)"
        )
    if seen.other_versions:
        lines.append(
            f"cannot match: {seen.other_versions} hashed under key versions that are not "
            "here; restore those from the key backup and look again"
        )
    return "\n".join(lines)
