"""Which client stands behind each anchor of `anchors.yaml`.

A kind's client is loaded when an anchor of that kind is configured, so that a trail
without one pays for no HTTP or mail library.
"""

from pathlib import Path

from phitrail.anchor.held import Anchor
from phitrail.anchor.settings import (
    AnchorSettings,
    DirectorySettings,
    MailSettings,
    TimeStampSettings,
    WitnessSettings,
)
from phitrail.errors import StorageError


def open_anchor(settings: AnchorSettings, trail: Path) -> Anchor:
    """Open one anchor; paths that are not absolute begin at the trail.

    Raises:
        ConfigError: what `anchors.yaml` says of it cannot be.
        StorageError: a file that it needs cannot be read.
    """
    match settings:
        case WitnessSettings():
            from phitrail.anchor.witness import Witness

            return Witness(settings.url, settings.vkey, plain_http=settings.plain_http)
        case DirectorySettings():
            from phitrail.anchor.watched_directory import WatchedDirectory

            return WatchedDirectory(
                trail / settings.path,
                trail,
                may_share_device=settings.may_share_device,
            )
        case MailSettings():
            return _open_mail(settings, trail)
        case TimeStampSettings():
            return _open_time_stamps(settings, trail)


def _open_mail(settings: MailSettings, trail: Path) -> Anchor:
    from phitrail.anchor.mail import MailedCheckpoint, MailServer

    server = MailServer(
        settings.host,
        settings.port,
        starttls=settings.starttls,
        ca_file=trail / settings.ca_file if settings.ca_file else None,
        username=settings.username,
        password_file=(
            trail / settings.password_file if settings.password_file else None
        ),
    )
    return MailedCheckpoint(server, settings.sender, settings.to)


def _open_time_stamps(settings: TimeStampSettings, trail: Path) -> Anchor:
    from phitrail.anchor.time_stamp import TimeStampAuthority

    place = trail / settings.certificate
    try:
        certificates = place.read_bytes()
    except OSError as error:
        raise StorageError(f"cannot read {place}: {error.strerror}") from error
    return TimeStampAuthority(
        settings.url,
        certificates,
        policy=settings.policy_oid,
        plain_http=settings.plain_http,
    )
