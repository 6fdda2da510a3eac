"""What alerts of quality are called, what to do about one, and what would contain it.

Apart from `quality.alerts`, which loads what compares versions: whoever shows an alert needs
the words alone.
"""

from typing import Final

RULE_PREFIX: Final = "quality."
CONTAINS: Final = ("ai_model_version", "use_case")
"""The fields of such an alert that a containment would go by."""
RESPONSE: Final = (
    "See `phitrail quality report` for the size and the hour; ask the owner of the model "
    "whether to go back to the version before, and contain the version in this use case "
    "until that is decided."
)


def title_of(rule_id: str) -> str | None:
    """Say what an alert of this id is about, or None if it is not of quality."""
    if not rule_id.startswith(RULE_PREFIX):
        return None
    name = rule_id.removeprefix(RULE_PREFIX)
    return f"A model version is worse than the one before: {name.replace('_', ' ')}"
