"""Sources of a trail: registered once, then opened by the processes that record.

1. `add_source` makes a credential, records `source_registered` with its public half, then
   names it in `sources.yaml`, then hands the private half out. A source that is added anew
   gets a new credential; the old one opens no epoch any more.
2. `begin_epoch` takes the credential of a process, checks it against `sources.yaml` and
   gives the epoch, which is the time of the start in milliseconds. Two processes that start
   in one millisecond contradict each other in the id of their openings, so that the later
   one takes the next millisecond.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from phitrail.app.config import (
    RegisteredSource,
    read_sources,
    read_tenant,
    write_sources,
)
from phitrail.app.pins import read_pins
from phitrail.app.wiring import Trail
from phitrail.capture.source import Source, source_name
from phitrail.errors import ConfigError, ConflictError, InputError
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.codes import ActorType, AttributionBasis, EventType, Log, Outcome
from phitrail.events.ids import format_time, new_uuid7
from phitrail.events.policy import rule_of
from phitrail.events.protected import Protected
from phitrail.events.shapes import Term
from phitrail.keys.secret_file import read_secret_file
from phitrail.keys.source_credential import (
    make_source_credential,
    read_source_credential,
)
from phitrail.tlog.note import ED25519, Signer, VerifierKey

_TRIES = 50
_MILLISECOND = timedelta(milliseconds=1)


def add_source(
    trail: Trail, source_id: str, *, by: str, now: datetime, is_replacing: bool = False
) -> Protected[str]:
    """Register a source; return its credential, which nothing keeps.

    Raises:
        InputError: it is no term, it is registered already, or `by` is no user id.
        StorageError: nothing was registered.
    """
    try:
        msgspec.convert(source_id, Term)
    except msgspec.ValidationError:
        raise InputError.for_field("SOURCE", rule_of(Term)) from None
    known = read_sources(trail.directory)
    if not is_replacing and any(one.source == source_id for one in known):
        raise InputError.for_field(
            "SOURCE", "is registered already; --replace gives it a new credential"
        )
    tenant = trail.tenant.tenant
    public, line = make_source_credential(tenant, source_id)
    vkey = str(VerifierKey.derive(source_name(tenant, source_id), ED25519, public))
    event: CallerEvent = AuditEvent(
        event_type=EventType.SOURCE_REGISTERED,
        event_id=new_uuid7(now),
        timestamp_utc=format_time(now),
        user_id=by,
        actor_type=ActorType.HUMAN,
        attribution_basis=AttributionBasis.STATIC,
        outcome=Outcome.SUCCESS,
        object_id=source_id,
        source_vkey=vkey,
        service_component="phitrail-cli",
    )
    trail.recorder.record(event, now)
    others = [one for one in known if one.source != source_id]
    write_sources(
        trail.directory, [*others, RegisteredSource(source=source_id, vkey=vkey)]
    )
    return line


def begin_epoch(directory: Path, credential: Protected[str], now: datetime) -> Source:
    """Begin an epoch of the source that a credential belongs to; nothing is recorded yet.

    Raises:
        InputError: the line is no credential of this tenant.
        ConfigError: the source is not registered, or has another credential by now.
    """
    tenant = read_tenant(directory).tenant
    source_id, private = read_source_credential(credential, tenant=tenant)
    name = source_name(tenant, source_id)
    signer = Signer(name, private.public_key().public_bytes_raw(), private.sign)
    registered = {one.source: one.vkey for one in read_sources(directory)}
    if registered.get(source_id) != str(signer.vkey):
        raise ConfigError(
            f"{directory}: sources.yaml names no source with this credential; "
            "`phitrail source list` shows the sources, `source add` adds one"
        )
    trail_id = read_pins(directory)[Log.AUDIT].genesis.trail_id
    return Source(source_id, signer, trail_id, int(now.timestamp() * 1000))


def open_epoch(trail: Trail, source: Source) -> None:
    """Record the opening of an epoch.

    Raises:
        StorageError: it is not recorded.
        ConflictError: fifty processes of this source began in this very moment.
    """
    for _ in range(_TRIES):
        moment = datetime.fromtimestamp(source.epoch / 1000, UTC)
        entropy = hashlib.sha256(source.source_id.encode()).digest()[:10]
        opening = msgspec.structs.replace(
            source.opening(moment), event_id=new_uuid7(moment, entropy)
        )
        try:
            trail.recorder.record(opening, moment)
        except ConflictError:
            source.epoch += 1
        else:
            source.is_begun = True
            return
    raise ConflictError(
        "too many processes of one source begin at once; start it again"
    )


def read_credential(place: Path) -> Protected[str]:
    """Read the file that holds a credential.

    Raises:
        ConfigError: it cannot be read, or others may read it.
    """
    data = read_secret_file(
        place,
        what="credential",
        if_seen="give the source a new one (`phitrail source add --replace`) if they "
        "may have read it",
        if_missing="`phitrail source add` hands a credential out",
    )
    return Protected(data.decode("ascii", "replace"))
