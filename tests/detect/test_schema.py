"""What rules are told of fields is what the record types say."""

from typing import get_args

import msgspec

from phitrail.detect.schema import MAY_BE_NEGATIVE
from phitrail.events import shapes
from phitrail.events.codes import Log
from phitrail.projection.rows import KINDS_OF_LOG, columns_of


def test_every_number_that_may_be_negative_is_known() -> None:
    """The tail tells of a sum as soon as it is reached: one that shrinks again was never it."""
    signed = repr(get_args(shapes.Signed)[1])
    found = {
        field.name
        for kinds in KINDS_OF_LOG.values()
        for kind in kinds
        for field in msgspec.structs.fields(getattr(kind, "__origin__", kind))
        if signed in repr(field.type)
    }
    columns = {
        column.name
        for log in Log
        for column in columns_of(log)
        if column.sql_type == "BIGINT"
    }
    assert found & columns == MAY_BE_NEGATIVE
