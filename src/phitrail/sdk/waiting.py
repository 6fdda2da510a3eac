"""One caller's wait for one receipt: until it is published, or witnessed as well.

1. `published`: a checkpoint covers each entry, and the log proves under it that it holds
   them and continues its promise (`sdk.promises`). Without that proof nothing is over.
2. `witnessed`: then a configured witness has cosigned a checkpoint that covers each entry.
   Witnesses are asked at once, and again each second, by whoever publishes.

A receipt that is spooled names no entry, so there is nothing to wait for yet.

The caller asks again and again, at its own pace, until it is over or too late.
"""

from typing import Literal

from phitrail.errors import InputError, UnverifiableError
from phitrail.sdk import clock
from phitrail.sdk.backend import Backend
from phitrail.sdk.promises import Promises, demand
from phitrail.tlog.receipt import Receipt

Stage = Literal["published", "witnessed"]
PUBLISHED_POLL_S = 0.02
WITNESSED_POLL_S = 0.1
ASK_EVERY_US = 1_000_000


class Waiting:
    """A wait that has begun.

    Raises:
        InputError: there is no such stage.
        UnverifiableError: the event stands in no log yet.
    """

    def __init__(
        self,
        receipt: Receipt,
        stage: Stage,
        timeout_s: float,
        backend: Backend,
        promises: Promises | None,
    ) -> None:
        if stage not in ("published", "witnessed"):
            raise InputError.for_field("stage", "published or witnessed")
        if receipt.is_spooled:
            raise UnverifiableError(
                "the event waits in the spool and stands in no log yet: record it again "
                "under the same event id once the log is back, and wait for that receipt"
            )
        self._receipt = receipt
        self._is_for_witness = stage == "witnessed"
        self._deadline_us = clock.monotonic_us() + int(timeout_s * 1e6)
        self._backend = backend
        self._promises = promises
        self._is_published = False
        self._asked_us = -ASK_EVERY_US

    @property
    def pause_s(self) -> float:
        """How long to pause before asking again."""
        return WITNESSED_POLL_S if self._is_published else PUBLISHED_POLL_S

    def is_over(self) -> bool:
        """Say whether the stage is reached.

        Raises:
            UnverifiableError: it is too late, or no witness is configured.
            IntegrityError: the publisher refuses to sign, or the log does not hold what
                it promised.
        """
        if self._is_for_witness:
            self._check_witnesses()
        if not self._is_published:
            if not self._backend.is_published(self._receipt):
                self._check_time("durable, and not published in time")
                return False
            demand(self._receipt, self._backend, self._promises)
            self._is_published = True
        return not self._is_for_witness or self._is_witnessed()

    def _check_witnesses(self) -> None:
        if any(
            self._backend.witnessed_size(place.log) is None
            for place in self._receipt.positions
        ):
            raise UnverifiableError(
                "no witness is configured for this trail; add one with `phitrail anchor "
                "add witness`, or wait for `published` instead"
            )

    def _is_witnessed(self) -> bool:
        sizes = {
            place.log: self._backend.witnessed_size(place.log)
            for place in self._receipt.positions
        }
        if all(
            (sizes[place.log] or 0) > place.index for place in self._receipt.positions
        ):
            return True
        self._check_time("published, and not cosigned by a witness in time")
        now_us = clock.monotonic_us()
        if now_us - self._asked_us >= ASK_EVERY_US:
            self._asked_us = now_us
            self._backend.ask_witnesses()
        return False

    def _check_time(self, state: str) -> None:
        if clock.monotonic_us() > self._deadline_us:
            raise UnverifiableError(f"{state}; see `phitrail status`")
