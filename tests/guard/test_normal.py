# ruff: noqa: RUF001 - signs that look alike are the subject
"""Views take disguises off and keep the way back to the source."""

import sys
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phitrail.guard.characters import DIGIT_ZEROS, fold
from phitrail.guard.normal import views
from phitrail.guard.view import View, ViewWriter

PIECES = (
    *("6 4 6 - 9 4", "J_o_h_n", "five five five oh one", "%33%34", "&#49;", "&amp;"),
    *("**", "\u200b", "\u00ad", "\u0301", "\u202e", "\u2014", "\U0001d7d8", "\u2460"),
    *(
        "\ud800",
        "\u0661",
        "\u05d0\u05d1",
        "\u0440\u0430",
        "John",
        "MRN: ",
        "\n",
        "\\u00e9",
    ),
    *("QW5uIExlZSA0NTY3", "34353637343536", "ann dot lee at x dot org", "<b>"),
    "\u2070\u00b9\u00b2\u00b3",
)
TEXTS = st.one_of(
    st.text(max_size=80),
    st.text(st.characters(), max_size=60),
    st.lists(st.sampled_from([*PIECES, " ", ", "]), max_size=24).map("".join),
)


def source_of(view: View, text: str, part: str) -> str:
    """Give what stands in the source for a part of a view."""
    at = view.text.index(part)
    start, end = view.source(at, at + len(part))
    return text[start:end]


@given(TEXTS)
@settings(max_examples=300, deadline=None)
def test_a_view_maps_forward_and_inside_the_source(text: str) -> None:
    """A map that steps back or out would redact the wrong characters."""
    read = views(text)
    for view in (read.main, *read.fragments):
        spans = [view.source(at, at + 1) for at in range(len(view.text))]

        assert all(0 <= start < end <= len(text) for start, end in spans)
        assert all(a[0] <= b[0] and a[1] <= b[1] for a, b in pairwise(spans))
        assert all(0 <= a <= b <= len(view.text) for a, b in view.rebuilt)


@given(TEXTS)
@settings(max_examples=100, deadline=None)
def test_the_same_text_reads_the_same(text: str) -> None:
    """Two readings of one text would give two verdicts."""
    assert views(text) == views(text)


@given(st.text(st.characters(max_codepoint=126, exclude_characters="&%*_`~\\<")))
def test_plain_ascii_is_its_own_view(text: str) -> None:
    """Nearly all traffic is plain: a copy and a map would be spent on nothing."""
    main = views(text).main

    assert main.text is text
    assert not main.is_mapped


@pytest.mark.parametrize(
    "text",
    [
        "Zoë Núñez – “stable”, SpO₂ 95 % at 10⁹/L, ½ tablet … ≥ 3 µg • René’s",
        "Пациент Иванов осмотрен, рост 180, сено",
        "роса Иванов роса",
        "Ασθενής με πυρετό και βήχα",
        "病人已出院",
    ],
)
def test_ordinary_writing_moves_no_place(text: str) -> None:
    """Accents, dashes, quotes and other scripts are not disguises."""
    main = views(text).main

    assert not main.is_mapped
    assert len(text) == len(main.text)
    assert all(
        one == two for one, two in zip(text, main.text, strict=True) if one.isalpha()
    )


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("4\u200b1\u200b2\u200b7", "4127"),
        ("4\u00ad1\u00ad27", "4127"),
        ("٤١٢٧", "4127"),
        ("４１２７", "4127"),
        ("④①②⑦", "4127"),
        ("❹➀⓶⑺", "4127"),
        ("⁴¹²⁷", "4127"),
        ("𝟜𝟙𝟚𝟟", "4127"),
        ("4️⃣1️⃣2️⃣7️⃣", "4127"),
        ("&#52;&#x31;&#50;&#55;", "4127"),
        ("%34%31%32%37", "4127"),
        ("\\u0034\\u0031\\x32\\x37", "4127"),
        ("41**27**", "4127"),
        ("4<b>12</b>7", "4127"),
        ("41\\-27", "41-27"),
        ("41‑27", "41-27"),
        ("41—27", "41-27"),
        ("41\u00a027", "41 27"),
        ("4\u033612\u03367", "4127"),
        ("Mаriоn Quill", "Marion Quill"),
        ("Ｍａｒｉｏｎ", "Marion"),
        ("𝓜𝓪𝓻𝓲𝓸𝓷", "Marion"),
        ("🅼🅰🆁🅸🅾🅽", "MARION"),
        ("🇲🇦🇷", "MAR"),
        ("\U000e004d\U000e0061\U000e0072", "Mar"),
        ("Jose\u0301 Nu\u0301n\u0303ez", "José Núñez"),
        ("Jos%C3%A9", "José"),
        ("Jos&eacute;", "José"),
        ("СОРА", "COPA"),
        ("&#xD800;", "\ufffd"),
        ("a%00b", "a b"),
    ],
)
def test_a_disguise_is_read_and_found_where_it_stands(written: str, read: str) -> None:
    """What a reader makes out must be found, and covered as a whole."""
    text = f"The chart says {written}, thanks."
    main = views(text).main

    assert read in main.text
    assert source_of(main, text, read).startswith(written[:1])
    assert source_of(main, text, f" {read},") == f" {written},"


def test_an_ideogram_of_markup_stays() -> None:
    """A ruled line, a blank to fill in and a bare ampersand are not markup."""
    text = "Name: ________ *****\nA & B, 5 < 6, 20% of 30, &nosuchthing; %zz \\d"

    assert text == views(text).main.text


@pytest.mark.parametrize(
    "text", ["SSN ***-**-1234", "(***) ***-0142", "acct ***4471", "a ** b"]
)
def test_a_mask_stays(text: str) -> None:
    """The stars before the last four digits say what the digits are."""
    assert text == views(text).main.text


@pytest.mark.parametrize(
    "text",
    ["**Name:** Ann", "**12/05** ok", "(**Ann**)", '**"Ann"**', "**Ann**", "__Ann__."],
)
def test_markup_goes(text: str) -> None:
    """A bold name must read like any other, to what looks at the words around it."""
    assert "*" not in views(text).main.text
    assert "_" not in views(text).main.text


def test_every_decimal_digit_is_known() -> None:
    """A digit script that is missing here would carry a number past every pattern."""
    known = {zero + value for zero in DIGIT_ZEROS for value in range(10)}
    digits = {code for code in range(128, sys.maxunicode + 1) if chr(code).isdecimal()}

    assert digits <= known


def test_every_digit_is_read_by_its_value() -> None:
    """What `unicodedata` knows to be a digit, in any style, reads as that digit."""
    for code in range(128, sys.maxunicode + 1):
        value = unicodedata.digit(chr(code), None)
        if value is None:
            continue
        text = chr(code) * 4
        read = views(text).main.text

        assert read == str(value) * 4


def test_no_character_makes_it_raise() -> None:
    """One character took a scanner down once: each is read, alone and with a mark."""
    for first in (*range(0, 0x20000, 0x1000), 0xE0000, 0xF0000, 0x10F000):
        block = "".join(map(chr, range(first, first + 0x1000)))
        views(block)
        views("\u0301".join(block[::16]))


def test_a_folded_character_is_short() -> None:
    """An endless ligature would let a small text grow past every bound."""
    assert max(len(fold(chr(code))) for code in range(128, 0x20000)) <= 18


def test_a_writer_keeps_what_it_is_not_told_about() -> None:
    """The source around what is put differently must stay, in order."""
    writer = ViewWriter("abcdef", (1, 5))
    writer.put(2, 3, "XYZ")
    writer.put(3, 4, "")
    view = writer.view()

    assert view.text == "bXYZe"
    assert [view.source(at, at + 1) for at in range(5)] == [
        (1, 2),
        (2, 3),
        (2, 3),
        (2, 3),
        (4, 5),
    ]
    assert view.source(0, 5) == (1, 5)
    assert view.source(4, 4) == (4, 4)


@pytest.mark.parametrize(
    "unit",
    [
        *(
            "a",
            " ",
            "\n",
            "%",
            "&",
            "&#",
            "%4",
            "\\",
            "*",
            "__",
            "<",
            "<b ",
            "7 ",
            "7_",
            "7.",
        ),
        *(
            "one ",
            "double ",
            "@\n",
            "1\n",
            "a@",
            "A-",
            "QUFB",
            "4a",
            "\u0301",
            "\u200b",
        ),
        *(
            "аb",
            "рас ",
            "²",
            "\ud800",
            " at ",
            " dot ",
            "a dot ",
            "[at]",
            "I ",
            "\u0661",
        ),
    ],
)
def test_a_repeat_takes_time_in_line_with_its_length(unit: str) -> None:
    """A pathological repeat must not hold a core: this text takes minutes if squared."""
    text = unit * (200_000 // len(unit))

    assert views(text).main is not None
