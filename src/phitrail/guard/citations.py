"""Whether a word stands in a citation: its authors are named in public, not in care.

A candidate is in a citation if, read on from it, there is nothing but capitalised
words, initials and marks up to what only citations have: a year with a volume
("2016;374:1511"), a journal of the list with a year, or "et al.". The reach is one line and a
bounded number of words.
"""

import re

_REACH_CHARS = 120
_JOURNAL = (
    r"(?:N ?Engl J Med|NEJM|JAMA|Lancet|BMJ|JACC|Circulation|Chest|Blood|Gut|Stroke|Neurology|"
    r"Pediatrics|Radiology|Diabetes Care|Crit Care(?: Med)?|Ann Intern Med|Clin Infect Dis|CID|"
    r"Hepatology|Gastroenterology|Kidney Int|Thorax|Obstet Gynecol|AJOG|J Clin Oncol|JCO|AJEM)"
)
_PASSED = (
    r"(?:[ ,.&:()/\u2019'-]|[A-Z][A-Za-z\u00c0-\u024f]{0,20}\b"
    r"|(?:of|the|in|for|and|de|on)\b){0,40}?"
)
_YEAR = r"\b(?:19|20)[0-9]{2}\b"
_ANY_YEAR = re.compile("[12][09][0-9][0-9]")
_REST = re.compile(
    rf"{_PASSED}(?:\bet al\b|{_YEAR}\)? ?; ?[0-9]{{1,4}}\b"
    rf"|\b{_JOURNAL}[., ]{{0,2}}\(?{_YEAR})"
)


def is_cited(text: str, start: int, end: int) -> bool:
    """Say whether `text[start:end]` stands in a citation."""
    line = text[end : end + _REACH_CHARS].split("\n", 1)[0]
    if start >= end or not ("et al" in line or _ANY_YEAR.search(line)):
        return False
    return _REST.match(line) is not None
