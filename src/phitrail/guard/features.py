"""What the tagger sees of one word: hashed features, the same when it is trained and run.

Each feature is a row number of the model's embedding: CRC-32 of its bytes, modulo the rows.
A word gives at most `WIDTH` of them: itself in lower case, its form, its first and last
letters, and what the gazetteer says of it. Nothing here depends on other words.
"""

from zlib import crc32

ROWS = 1 << 15
WIDTH = 16
_WORD, _FORM = crc32(b"w:"), crc32(b"f:")
_AFFIXES = tuple(
    (letters, crc32(b"p%d:" % letters), crc32(b"s%d:" % letters))
    for letters in range(1, 5)
)
_FLAGS = tuple((1 << n, crc32(b"g:%d" % (n + 1)) % ROWS) for n in range(5))
LONGEST = 24


def form(word: str) -> str:
    """Return the form of a word: X upper, x lower, 9 digit; more than three run together."""
    if word.isdecimal():
        return "9" * min(len(word), 11)
    if word.islower():
        return "x" * min(len(word), 3)
    if word.isupper():
        return "X" * min(len(word), 4)
    if word.istitle():
        return "Xx" + "x" * (len(word) > 3)  # noqa: PLR2004 - a short one is told apart
    if not word.isalpha() and len(word) == 1:
        return word
    return "".join(
        dict.fromkeys("X" if letter.isupper() else "x" for letter in word)
    ) + ("'" if "'" in word or "\u2019" in word else "m")


def features(word: str, flags: int) -> list[int]:
    """Return the rows of a word; `flags` are the bits of the gazetteer (`Gazetteer`)."""
    low = word[:LONGEST].lower()
    told = [
        crc32(low.encode("utf-8", "surrogatepass"), _WORD) % ROWS,
        crc32(form(word).encode("utf-8", "surrogatepass"), _FORM) % ROWS,
    ]
    length = len(low)
    if length > 1:
        for letters, first, last in _AFFIXES:
            if length <= letters:
                break
            head = low[:letters].encode("utf-8", "surrogatepass")
            tail = low[-letters:].encode("utf-8", "surrogatepass")
            told += (crc32(head, first) % ROWS, crc32(tail, last) % ROWS)
    if flags:
        told += [row for bit, row in _FLAGS if flags & bit]
    return told
