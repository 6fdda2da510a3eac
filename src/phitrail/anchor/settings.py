"""What `anchors.yaml` says of each anchor, a struct for each kind.

1. Every kind has a name, the logs that it takes, `every_s` (seconds between two checkpoints
   that it is handed) and `within_s` (seconds within which it must hold a new one;
   `policy.yaml` says how long where it is absent).
2. No secret stands here: a password is in a file of its own, for its owner alone.

`app.config` reads the file; docs/configuration.md explains each key.
"""

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from phitrail.events.codes import Log

ANCHOR_NAME_CHARACTERS = 32

AnchorName = Annotated[
    str,
    Meta(
        pattern=rf"\A[a-z][a-z0-9_-]{{0,{ANCHOR_NAME_CHARACTERS - 1}}}\Z",
        description="a lower-case name: letters, digits, _ and -, at most 32",
    ),
]
Pause = Annotated[float, Meta(gt=0, le=2_592_000)]
Url = Annotated[str, Meta(pattern=r"\Ahttps?://[^\s]+\Z", max_length=2048)]
OneLine = Annotated[str, Meta(pattern=r"\A[^\x00-\x1f\x7f]+\Z", max_length=2048)]
Port = Annotated[int, Meta(ge=1, le=65_535)]
Logs = Annotated[tuple[Log, ...], Meta(min_length=1)]
Oid = Annotated[str, Meta(pattern=r"\A[0-2](\.(0|[1-9][0-9]*))+\Z", max_length=256)]

ALL_LOGS = tuple(Log)


class WitnessSettings(
    Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="kind",
    tag="witness",
):
    """A C2SP witness: checks that the log only grew, and cosigns.

    Attributes:
        url: what stands before `/add-checkpoint`.
        vkey: the key that its cosignatures verify under.
        plain_http: admit http:// beyond this host.
    """

    name: AnchorName
    url: Url
    vkey: OneLine
    plain_http: bool = False
    logs: Logs = ALL_LOGS
    every_s: Pause = 5.0
    within_s: Pause | None = None


class DirectorySettings(
    Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="kind",
    tag="directory",
):
    """A directory on other storage, which keeps every checkpoint that it is handed.

    Attributes:
        may_share_device: admit one on the trail's own disk, which shows no more than the
            trail itself does once that disk is gone or altered.
    """

    name: AnchorName
    path: OneLine
    may_share_device: bool = False
    logs: Logs = ALL_LOGS
    every_s: Pause = 60.0
    within_s: Pause | None = None


class MailSettings(
    Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="kind",
    tag="mail",
):
    """An officer's mailbox.

    Attributes:
        to: who gets it; the server must accept it for all of them.
        starttls: encrypt before anything is said; without it, only for this host.
        ca_file: a PEM file with the certificates that the server's is checked against;
            without it, those that this host trusts.
        username: who logs in; nobody does without.
        password_file: holds the password alone, mode 0600.
    """

    name: AnchorName
    host: OneLine
    sender: OneLine
    to: Annotated[tuple[OneLine, ...], Meta(min_length=1, max_length=32)]
    port: Port = 587
    starttls: bool = True
    ca_file: OneLine | None = None
    username: OneLine | None = None
    password_file: OneLine | None = None
    logs: Logs = ALL_LOGS
    every_s: Pause = 86_400.0
    within_s: Pause | None = None


class TimeStampSettings(
    Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="kind",
    tag="rfc3161",
):
    """An RFC 3161 time stamp authority.

    Attributes:
        certificate: a PEM file with the root certificate that its tokens verify under,
            and with the certificates between, where its tokens do not carry them.
        policy_oid: the policy that its tokens must name.
        plain_http: admit http:// beyond this host: a token is signed and holds a hash.
    """

    name: AnchorName
    url: Url
    certificate: OneLine
    policy_oid: Oid | None = None
    plain_http: bool = False
    logs: Logs = ALL_LOGS
    every_s: Pause = 3_600.0
    within_s: Pause | None = None


AnchorSettings: TypeAlias = (
    WitnessSettings | DirectorySettings | MailSettings | TimeStampSettings
)
"""One anchor of `anchors.yaml`, whichever its kind."""
