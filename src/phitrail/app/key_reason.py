"""Why something is done to a key, or a quarantine opened: in words, and never none."""

from typing import Final

from phitrail.errors import InputError

MOST_CHARACTERS: Final = 2_000


def check_reason(reason: str, field: str = "--reason") -> None:
    """Check that a reason was given; it is kept sealed and repeated nowhere.

    Raises:
        InputError: it is empty, too long, or has characters that no text has.
    """
    is_text = all(one.isprintable() or one in "\n\t" for one in reason)
    if not reason.strip() or len(reason) > MOST_CHARACTERS or not is_text:
        raise InputError.for_field(
            field, f"must say why, in 1 to {MOST_CHARACTERS:,} printable characters"
        )
