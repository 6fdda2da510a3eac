"""What stands in a text as base64 or hexadecimal is read."""

from base64 import b64encode

import pytest

from phitrail.guard.normal import views


def encoded(said: str) -> list[str]:
    """Give a text as base64, with and without padding, and as hexadecimal."""
    octets = said.encode()
    plain = b64encode(octets).decode()
    return [plain, plain.rstrip("="), octets.hex(), octets.hex().upper()]


@pytest.mark.parametrize(
    "said",
    ["731-44-9026", "Quinn Abbot", "q@host.org", "11/05/1950", "Zoë Núñez", "A4471920"],
)
def test_an_encoded_value_is_read_and_found_where_it_stands(said: str) -> None:
    """An encoding hides a value from readers of the screen, not from the next program."""
    for run in encoded(said):
        text = f"The token is {run}, they said."
        (fragment,) = views(text).fragments
        at = fragment.text.index(said)

        assert f"is {said}," in fragment.text
        assert fragment.source(at, at + 2) == (13, 13 + len(run))


@pytest.mark.parametrize(
    "text",
    [
        "abdominal bilateral dexamethasone carbamazepine electroencephalogram",
        "sha256 3b1f0c9d8e7a6b5c4d3e2f1a0b9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c",
        "iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4",
        "Call 5550104477 or 800-555-0199, NDC 50242-041-21",
    ],
)
def test_words_hashes_and_pictures_are_left_alone(text: str) -> None:
    """What decodes to nothing that people write would only cost time."""
    assert views(text).fragments == ()
