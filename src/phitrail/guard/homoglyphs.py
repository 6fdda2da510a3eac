"""Letters of other scripts that stand for the Latin letters they look like.

Rules: a word that mixes them with Latin letters or digits is read as Latin wherever a
look-alike is known. A word made of nothing but perfect look-alikes is read as Latin
only where no word beside it is really Cyrillic or Greek: prose in those scripts stays.
One letter is read as one letter, so no place moves.

Source: Unicode Technical Standard 39 (confusables); the table is a part of it.
"""

import re

_PERFECT = str.maketrans(
    "АВЕЅІЈКМНОРСТУХҮԌаеѕіјорсухһԁԛԝӏΑΒΕΖΗΙΚΜΝΟΡΤΥΧοϲϳνՕօոսԼ",
    "ABESIJKMHOPCTYXYGaesijopcyxhdqwlABEZHIKMNOPTYXocjvOonuL",
)
_LOOSE = str.maketrans(
    "вгзкмнтьпбцшёЅѡѵԜαικρτυχωγηβɑɡıɩʀɴʟʏɢʜᴀᴄᴅᴇᴊᴋᴍᴏᴘᴛᴜᴠᴡᴢꜱꜰʙɪհցքԱᎪᏴᏟᎠᎬᎢᏀᎻᎫᏦᏞᎷᏢᏒᏚᎳᏃ",
    "brzkmhtbnbuweSwvWaikptuxwynbagiirnlyghacdejkmoptuvwzsfbihgpUABCDETGHJKLMPRSWZ",
)
_FOREIGN = (
    "\u0370-\u052f\u0531-\u0589\u13a0-\u13ff\u0250-\u02af\u1d00-\u1d2b\ua730\ua731"
)
_ANY_FOREIGN = re.compile(f"[{_FOREIGN}]")
_WORD = re.compile(r"\w+")
_LATIN = re.compile(r"[A-Za-z0-9]")
_BESIDE = 40
"""How near, in characters, a really foreign word makes a look-alike one foreign too."""


def fold_homoglyphs(text: str) -> str:
    """Give the text with disguised words in Latin letters; its length is the same."""
    if _ANY_FOREIGN.search(text) is None:
        return text
    read_as: list[tuple[int, int, str]] = []
    waiting: list[
        tuple[int, int, str]
    ] = []  # nothing but look-alikes; the next decides
    prose_end = -_BESIDE
    for match in _WORD.finditer(text):
        word = match[0]
        if word.isascii() or _ANY_FOREIGN.search(word) is None:
            continue
        start, end = match.span()
        read = word.translate(_PERFECT)
        if _LATIN.search(word):
            read_as.append((start, end, read.translate(_LOOSE)))
        elif _ANY_FOREIGN.search(read):
            prose_end = end
            while waiting and start - waiting[-1][1] < _BESIDE:
                waiting.pop()
        elif start - prose_end >= _BESIDE:
            waiting.append((start, end, read))
    return _put_in(text, sorted([*read_as, *waiting]))


def _put_in(text: str, words: list[tuple[int, int, str]]) -> str:
    pieces: list[str] = []
    kept = 0
    for start, end, read in words:
        pieces += (text[kept:start], read)
        kept = end
    return "".join((*pieces, text[kept:]))
