"""What the verbs of `quality` share: which requests, known when, told apart how."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from phitrail.cli.options import option
from phitrail.cli.times import parse_length, parse_moment
from phitrail.errors import InputError
from phitrail.quality.windows import Dimension, Grouping, parse_grouping

WindowOption = Annotated[
    str,
    option("--window", "LENGTH", "How far back, as 90m, 24h, 14d or 8w."),
]
By = Annotated[
    str | None,
    option(
        "--by",
        "NAMES",
        "Tell apart by, with commas: hour, day or release; model-version, use-case, "
        "facility.",
    ),
]
AsOfOption = Annotated[
    str | None,
    option("--as-of", "TIME", "Answer with what was known then (UTC).  [default: now]"),
]
Maturity = Annotated[
    str | None,
    option(
        "--maturity",
        "LENGTH",
        "Only requests at least so old, with the ratings of so long after each.",
    ),
]
OnlyVersion = Annotated[
    str | None, option("--model-version", "VERSION", "Only this version of a model.")
]
OnlyUseCase = Annotated[str | None, option("--use-case", "TERM", "Only this use case.")]
OnlyFacility = Annotated[
    str | None, option("--facility", "TERM", "Only this facility.")
]


@dataclass(frozen=True, slots=True)
class Read:
    """The options, read."""

    grouping: Grouping
    window: timedelta
    as_of: datetime | None
    maturity: timedelta | None
    only: tuple[tuple[Dimension, str], ...]


def read_options(
    by: str | None,
    window: str,
    as_of: str | None,
    maturity: str | None,
    *,
    model_version: str | None,
    use_case: str | None,
    facility: str | None,
) -> Read:
    """Read what was written.

    Raises:
        InputError: names the option and the rule.
    """
    only = {
        Dimension.MODEL_VERSION: model_version,
        Dimension.USE_CASE: use_case,
        Dimension.FACILITY: facility,
    }
    return Read(
        _grouping(by),
        parse_length("--window", window),
        None if as_of is None else parse_moment("--as-of", as_of),
        None if maturity is None else parse_length("--maturity", maturity),
        tuple((name, value) for name, value in only.items() if value is not None),
    )


def _grouping(by: str | None) -> Grouping:
    names = [] if by is None else [name.strip() for name in by.split(",")]
    try:
        return parse_grouping(names)
    except InputError as error:
        raise InputError.for_field("--by", error.rule) from None
