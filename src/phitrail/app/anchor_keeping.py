"""All anchors of a trail: beside the publisher, or once on demand.

Each anchor has a thread of its own, so that a slow one delays neither another nor the
publisher, and no writer ever waits for one. Only the process that publishes looks after
them; the lock of each anchor keeps `anchor run` and that process apart.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from phitrail.anchor.settings import AnchorSettings, WitnessSettings
from phitrail.app import clock
from phitrail.app.anchoring import AnchorDesk, Attempt
from phitrail.app.config import read_anchors
from phitrail.app.wiring import Trail
from phitrail.errors import InputError, PhitrailError

LOOK_EVERY_S = 5.0
CLOSE_WITHIN_S = 1.0
SOON_S = 0.5


class AnchorKeeper:
    """Looks after the anchors of an open trail until it is closed."""

    def __init__(
        self,
        trail: Trail,
        anchors: Sequence[AnchorSettings],
        *,
        is_publishing: Callable[[], bool],
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._is_publishing = is_publishing
        self._stop = threading.Event()
        self._desks = [AnchorDesk(trail, settings) for settings in anchors]
        self._wakes = [threading.Event() for _ in self._desks]
        self._threads = [
            threading.Thread(
                target=self._run,
                args=(desk, wake, min(look_every_s, desk.settings.every_s)),
                name=f"phitrail anchor {desk.settings.name}",
                daemon=True,
            )
            for desk, wake in zip(self._desks, self._wakes, strict=True)
        ]
        self.failures: dict[str, PhitrailError] = {}

    def start(self) -> None:
        """Begin to look."""
        for thread in self._threads:
            thread.start()

    def hurry(self) -> None:
        """Ask the witnesses now: somebody waits for them."""
        for desk, wake in zip(self._desks, self._wakes, strict=True):
            if isinstance(desk.settings, WitnessSettings):
                wake.set()

    def close(self) -> None:
        """Stop; an anchor that does not answer within a second is left to itself."""
        self._stop.set()
        for desk, wake in zip(self._desks, self._wakes, strict=True):
            desk.stop()
            wake.set()
        deadline_us = clock.monotonic_us() + int(CLOSE_WITHIN_S * 1_000_000)
        for desk, thread in zip(self._desks, self._threads, strict=True):
            if thread.ident is None:
                desk.close()
                continue
            left_us = max(deadline_us - clock.monotonic_us(), 0)
            thread.join(left_us / 1_000_000)

    def _run(
        self, desk: AnchorDesk, wake: threading.Event, look_every_s: float
    ) -> None:
        try:
            while not self._stop.is_set():
                is_hurried = wake.is_set()
                wake.clear()
                is_ours = self._is_publishing()
                if is_ours:
                    self._look(desk, is_hurried=is_hurried)
                wake.wait(look_every_s if is_ours else min(look_every_s, SOON_S))
        finally:
            desk.close()

    def _look(self, desk: AnchorDesk, *, is_hurried: bool) -> None:
        for log in desk.settings.logs:
            if self._stop.is_set():
                return
            try:
                desk.attempt(log, clock.now(), is_forced=is_hurried)
            except PhitrailError as error:  # our own disk or log; `verify` says which
                self.failures[desk.settings.name] = error
                return
        self.failures.pop(desk.settings.name, None)


def run_anchors(
    trail: Trail, names: Sequence[str], progress: Callable[[Attempt], None]
) -> list[Attempt]:
    """Hand every anchor what it does not hold yet, all anchors at the same time.

    Args:
        trail: an open trail.
        names: which anchors; all where none is named.
        progress: told of each attempt as it ends, on the thread of its anchor.

    Raises:
        InputError: there is no anchor of a name.
        ConfigError: what `anchors.yaml` says of one cannot be.
        StorageError: our own disk failed.
        IntegrityError: our own checkpoint does not verify.
    """
    anchors = read_anchors(trail.directory)
    known = [anchor.name for anchor in anchors]
    for name in names:
        if name not in known:
            raise InputError.for_field(
                "NAME", f"no anchor has that name; known: {', '.join(known) or 'none'}"
            )
    wanted = [anchor for anchor in anchors if not names or anchor.name in names]
    if not wanted:
        return []
    desks = [AnchorDesk(trail, settings) for settings in wanted]

    def visit(desk: AnchorDesk) -> list[Attempt]:
        came = []
        for log in desk.settings.logs:
            came.append(desk.attempt(log, clock.now(), is_forced=True))
            progress(came[-1])
        return came

    try:
        with ThreadPoolExecutor(len(desks)) as pool:
            return [one for came in pool.map(visit, desks) for one in came]
    finally:
        for desk in desks:
            desk.close()
