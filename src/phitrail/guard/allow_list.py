"""Capitalised words of medicine that look like names or places and are neither."""


def is_allowed(text: str, start: int, end: int) -> bool:
    """Say whether `text[start:end]` is a term of medicine rather than a name or place."""
    del text, start, end
    return False
