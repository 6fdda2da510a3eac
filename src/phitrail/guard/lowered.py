"""Lower case that keeps every place: rules read it, offsets still fit the text.

A few letters grow when they are lowered (U+0130 becomes two); a rule that reads the
longer text would report places that are off by one from there on.
"""


def lowered(text: str) -> str:
    """Lower a text without changing its length."""
    low = text.lower()
    if len(low) == len(text):
        return low
    return "".join(
        small if len(small := letter.lower()) == 1 else letter for letter in text
    )
