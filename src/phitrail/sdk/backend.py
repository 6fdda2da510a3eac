"""What a trail needs from the place where its logs are.

A directory (`phitrail.sdk.directory`) is the first such place, a server the second. The
seam stands here so that a program which talks to a server never loads `phitrail.app`.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol, TypeAlias

from phitrail.capture.text_hash import TextHasher
from phitrail.events.canonical import CallerRecord
from phitrail.events.codes import IdentifierClass
from phitrail.identity.aliases import Alias
from phitrail.identity.map import SubjectKey
from phitrail.tlog.checkpoint import Checkpoint
from phitrail.tlog.promised import Shown
from phitrail.tlog.receipt import Receipt

FindOthers: TypeAlias = Callable[[IdentifierClass, str, Collection[SubjectKey]], bool]
"""Says of a value of a class whether another patient than these bears it."""


class Backend(Protocol):
    """Where records go, and what is needed to build them."""

    @property
    def hasher(self) -> TextHasher:
        """Hashes texts under the tenant's key."""

    def record_many(
        self,
        records: Sequence[CallerRecord],
        now: datetime,
        times: Mapping[str, str] = ...,
    ) -> tuple[Receipt, ...]:
        """Record events as one; return once they are durable.

        `times` says by event id when something happened that waited in a spool.
        """

    def record_many_async(
        self, records: Sequence[CallerRecord], now: datetime
    ) -> Awaitable[tuple[Receipt, ...]]:
        """Do as `record_many`, on the running event loop."""

    def rater_hash(self, rater: str) -> str:
        """Return the keyed hash that stands for a rater."""

    def publish(self, timeout_s: float) -> None:
        """Publish what is durable now."""

    def is_published(self, receipt: Receipt) -> bool:
        """Say whether a checkpoint covers every entry of a receipt."""

    # Whose identifiers are whose, for the guard.

    def remember(self, aliases: Sequence[Alias]) -> None:
        """Keep aliases of patients; durable on return, or not at all while it is down."""

    def remember_async(self, aliases: Sequence[Alias]) -> Awaitable[None]:
        """Do as `remember`, on the running event loop."""

    def other_patients(self) -> FindOthers | None:
        """Give the look-up of other patients; None while nobody can be asked."""

    # What a log shows of itself, so that it can be held to its promises.

    @property
    def trail_id(self) -> str:
        """The id that genesis gave the trail."""

    @property
    def place(self) -> str:
        """Where the trail stands, as its caller finds it."""

    @property
    def origins(self) -> Mapping[str, str]:
        """The origin of each log, by its name."""

    def open_note(self, log: str, note: bytes) -> Checkpoint | None:
        """Verify a checkpoint or promise of a log; None where it is disowned.

        What a stolen key may have signed is disowned by a compromise that the recovery key
        declared: it convicts nobody.
        """

    def show_published(self, log: str) -> Shown | None:
        """Show a log up to its newest checkpoint; nothing before the first."""

    def show_durable(self, log: str) -> Shown:
        """Show a log up to its head, published or not."""

    def witnessed_size(self, log: str) -> int | None:
        """Say up to which size a witness cosigned a log; None without a witness."""

    # What its models did.

    def quality_metrics(
        self, window: timedelta, now: datetime
    ) -> dict[str, float | int | None]:
        """Give the nine classic metrics of a window that ends now; empty without any."""

    def ask_witnesses(self) -> None:
        """Ask the witnesses to cosign what is published, without waiting for them."""

    def close(self) -> None:
        """Commit and publish what waits, then close; a second call is harmless."""
