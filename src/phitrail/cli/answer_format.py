"""The forms of an answer."""

from enum import StrEnum


class AnswerFormat(StrEnum):
    """In which form rows are written."""

    TABLE = "table"
    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"
