"""A retrieval assistant without a model: full-text search, and sentences as answers.

Rules:
1. `retrieve` searches notes with SQLite FTS5 (Porter stems, BM25 order; equal ranks in
   the order of the notes). Given a patient, no other patient's note is ever returned.
2. A question narrows the search in two ways, when notes are left: it names a kind of
   note ("progress note"), and "last" or "latest" puts the newest first.
3. Words of a question reach SQLite only as quoted strings of letters and digits, so
   no question can be an FTS5 expression or an error.
4. `answer` quotes the sentences that share the most telling words with the question.
   It is an extract, not a judgment, and says so when nothing fits.

The index lives in memory and is gone with the object. One assistant may serve several
threads. Source: sqlite.org/fts5.html, section 3 (query syntax).
"""

import re
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from math import log

from phitrail.demo.notes import Note, NoteKind

MODEL_ID = "extractive-demo"
MODEL_VERSION = "1.0.0"
NO_ANSWER = "The retrieved notes do not say."

_QUOTED_SENTENCES = 3
_WORD = re.compile(r"[^\W_]+")
_SENTENCE_END = re.compile(r"(?<!\bMr\.)(?<!\bMs\.)(?<!\bDr\.)(?<=[.!?])\s+|\n+")
_DELTA = re.compile(r"\S+\s*|\s+")
_NEWEST_FIRST = frozenset({"last", "latest", "newest", "recent"})
_COMMON_WORDS = frozenset(
    """
    a about after all an and any anything are as at be been before by can chart charts
    concerning did do document documentation documented does entries entry file find
    for found from give given had has have her his how i in is it its known last latest
    mention mentioned mentions most newest of on or our particular patient patients
    please recent record recorded remark remarks s say should so supports tell that the
    their there this to was we were what when where which who why will with you
    """.split()
)


class RetrievalAssistant:
    """Finds notes for a question and answers with their own sentences."""

    def __init__(self, notes: Sequence[Note]) -> None:
        self._notes = tuple(notes)
        self._patient_codes: dict[str, str] = {}
        self._index = sqlite3.connect(":memory:", check_same_thread=False)
        self._index_lock = threading.Lock()
        self._index.execute(
            "CREATE VIRTUAL TABLE note USING fts5"
            "(body, patient, kind, content='', tokenize='porter unicode61')"
        )
        self._index.executemany(
            "INSERT INTO note (rowid, body, patient, kind) VALUES (?, ?, ?, ?)",
            self._rows(),
        )
        self._words_of = {
            note.note_id: frozenset(telling_words(note.text)) for note in self._notes
        }
        self._notes_with = Counter(
            word for words in self._words_of.values() for word in words
        )

    def retrieve(
        self, question: str, patient: str | None = None, k: int = 3
    ) -> list[Note]:
        """Find up to `k` notes for a question, best first.

        Args:
            question: in anybody's words; may hold anything.
            patient: the MRN to which the search is restricted; None searches all.
            k: how many notes to return at most.
        """
        words = list(dict.fromkeys(telling_words(question)))
        kind = _kind_named(question)
        if kind is None:
            return self._best(self._search(words, patient, None), question, k)
        of_kind = set(telling_words(kind.value))
        words = [word for word in words if word not in of_kind] or words
        found = self._search(words, patient, kind) or self._search(words, patient, None)
        return self._best(found, question, k)

    def answer(self, question: str, notes: Sequence[Note]) -> str:
        """Quote the sentences of `notes` that fit the question best.

        Returns:
            Up to three sentences in reading order under the kind and day of the note
            that fits best, or `NO_ANSWER`.
        """
        asked = set(telling_words(question))
        # Name, number and kind of note stand in every heading: they tell notes
        # apart, not sentences.
        asked = asked.difference(*(telling_words(n.heading) for n in notes)) or asked
        first_said_in: dict[str, Note] = {}
        for note in notes:
            for sentence in _sentences(note.body):
                first_said_in.setdefault(sentence, note)
        scores = {said: self._score(said, asked) for said in first_said_in}
        fitting = [said for said in first_said_in if scores[said] > 0]
        if not fitting:
            return NO_ANSWER
        best = sorted(fitting, key=lambda said: -scores[said])[:_QUOTED_SENTENCES]
        note = first_said_in[best[0]]
        quoted = " ".join(said for said in fitting if said in best)
        return f"From the {note.kind.value} of {note.written_at:%m/%d/%Y}: {quoted}"

    def close(self) -> None:
        """Drop the index."""
        with self._index_lock:
            self._index.close()

    def _rows(self) -> Iterator[tuple[int, str, str, str]]:
        """Yield what is indexed; a patient and a kind are one exact token each."""
        for number, note in enumerate(self._notes):
            code = self._patient_codes.setdefault(
                note.mrn, f"patient{len(self._patient_codes)}"
            )
            yield number, note.text, code, note.kind.name

    def _search(
        self, words: Sequence[str], patient: str | None, kind: NoteKind | None
    ) -> list[Note]:
        """Return the notes that hold one of `words`, best first."""
        if not words or (patient is not None and patient not in self._patient_codes):
            return []
        # Each word is letters and digits alone, so the quotes cannot be left.
        any_word = " OR ".join(f'"{word}"' for word in words)
        expression = f"{{body}} : ({any_word})"
        if patient is not None:
            expression += f' AND {{patient}} : "{self._patient_codes[patient]}"'
        if kind is not None:
            expression += f' AND {{kind}} : "{kind.name}"'
        with (
            self._index_lock,
            closing(
                self._index.execute(
                    "SELECT rowid FROM note WHERE note MATCH ? ORDER BY rank, rowid",
                    (expression,),
                )
            ) as rows,
        ):
            return [self._notes[number] for (number,) in rows]

    def _best(self, found: Sequence[Note], question: str, k: int) -> list[Note]:
        """Cut to `k`; asked for the last, prefer the newest of those that fit most."""
        if not _NEWEST_FIRST.isdisjoint(_words(question)):
            asked = set(telling_words(question))
            found = sorted(found, key=lambda note: note.written_at, reverse=True)
            found.sort(key=lambda note: -len(asked & self._words_of[note.note_id]))
        return list(found[:k])

    def _score(self, sentence: str, asked: set[str]) -> float:
        """Weigh the asked words in a sentence, rare ones more (inverse frequency)."""
        shared = asked.intersection(telling_words(sentence))
        return sum(
            log(1 + len(self._notes) / (1 + self._notes_with[word]))
            for word in sorted(shared)
        )


def split_deltas(answer: str) -> Iterator[str]:
    """Yield the answer in words with their spaces, as a streaming model would."""
    yield from _DELTA.findall(answer)


def _words(text: str) -> list[str]:
    """Return the words of a text in lower case: letters and digits alone."""
    return _WORD.findall(text.lower())


def telling_words(text: str) -> list[str]:
    """Return the words that say what a text is about."""
    return [word for word in _words(text) if word not in _COMMON_WORDS]


def _kind_named(question: str) -> NoteKind | None:
    """Return the kind of note that a question names."""
    asked = " ".join(_words(question))
    return next((kind for kind in NoteKind if kind.value in asked), None)


def _sentences(text: str) -> list[str]:
    """Cut a text into sentences; a line's end ends a sentence."""
    return [said.strip() for said in _SENTENCE_END.split(text) if said.strip()]
