"""What `quality watch` does: one look now, and with `--listen` one each hour; loads DuckDB."""

import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from phitrail.app import clock
from phitrail.app.quality_look import Looked, watch_quality
from phitrail.app.quality_watch import hour_of
from phitrail.app.running import run_trail
from phitrail.app.tables import open_tables
from phitrail.app.wiring import Trail
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.output import Output
from phitrail.cli.quality_verdicts import (
    comparison_object,
    is_any_worse,
    print_verdicts,
)
from phitrail.cli.witness import parse_address
from phitrail.errors import StorageError
from phitrail.events.ids import format_time
from phitrail.quality.exposition import STREAM, VERDICT, Exposition, prometheus
from phitrail.quality.verdict import State

_LOOK_S: Final = 5.0
_VERDICT_WORDS: Final = "Is 1 for the state that a comparison stands at"


def watch(trail: Path, listen: str | None, output: Output) -> int:
    """Look now, print, and go on if Prometheus is to scrape.

    Raises:
        InputError: the address is none.
        ConfigError: there is no trail, or the extra `quality` is not installed.
        IntegrityError: tables or log are damaged.
        StorageError: nothing was recorded, or nothing can listen there.
    """
    address = None if listen is None else parse_address(listen)
    if address is not None:
        prometheus()
    with run_trail(trail) as run:
        with output.progress("comparing") as progress:
            now = clock.now()
            looked = watch_quality(run.parts, hour_of(now), now=now, progress=progress)
        _tell(output, looked)
        if address is not None:
            _go_on(run.parts, looked, address, output)
    return ExitCode.CHECK_FAILED if is_any_worse(looked.found) else ExitCode.OK


def _tell(output: Output, looked: Looked) -> None:
    if output.as_json:
        output.data(
            {
                "as_of": format_time(looked.as_of),
                "recorded": [
                    {"alert": one.alert_id, "move": one.state} for one in looked.moves
                ],
                "streams": [
                    {"model": pair.model_id, **comparison_object(one)}
                    for pair, one in looked.found
                ],
            }
        )
        return
    told = [one for one in looked.found if one[1].state is not State.WITHHELD]
    if told:
        print_verdicts(output, told)
    else:
        output.line("no use case has two versions of a model")
    hour = format_time(looked.as_of)[:16].replace("T", " ")
    output.say(f"as known at {hour} UTC; {len(looked.moves)} moves of alerts recorded")


class Scraped:
    """What Prometheus is told: counts as of the scrape, verdicts as of the last look."""

    def __init__(self, trail: Trail, looked: Looked) -> None:
        self._trail = trail
        self._counted = Exposition()
        self._lock = threading.Lock()
        self.looked = looked

    def collect(self) -> Iterator[Any]:
        """Give the metric families of this moment."""
        with self._lock:
            with open_tables(self._trail, clock.now()) as tables:
                self._counted.advance(tables)
            yield from self._counted.families()
            yield self._verdicts()

    def _verdicts(self) -> Any:  # noqa: ANN401 - a metric family
        family = prometheus().GaugeMetricFamily(
            VERDICT, _VERDICT_WORDS, labels=[*STREAM, "metric", "state"]
        )
        for pair, one in self.looked.found:
            labels = (pair.model_id, pair.candidate, pair.use_case, one.metric)
            family.add_metric((*labels, one.state), 1)
        return family


def _go_on(
    trail: Trail, looked: Looked, address: tuple[str, int], output: Output
) -> None:
    from prometheus_client import CollectorRegistry, start_http_server  # noqa: PLC0415

    scraped = Scraped(trail, looked)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(scraped)
    host, port = address
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise StorageError(
            f"cannot listen at {host}:{port}: {error.strerror}"
        ) from None
    output.say(f"http://{host}:{server.server_port}/metrics; end with Ctrl-C")
    try:
        while True:
            time.sleep(_LOOK_S)
            _look_again(trail, scraped)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _look_again(trail: Trail, scraped: Scraped) -> None:
    hour = _next(scraped.looked.as_of)
    if hour is not None:
        scraped.looked = watch_quality(trail, hour, now=clock.now())


def _next(looked_at: datetime) -> datetime | None:
    hour = hour_of(clock.now())
    return None if hour == looked_at else hour
