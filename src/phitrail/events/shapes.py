"""What one field may hold: the field policy, as types.

Every unsealed string has an admitted shape, so that no sentence fits into any of them.
The types below carry the rule (for the decoder) and its words (for the error message);
`phitrail.events.canonical` enforces them on the bytes that land. Terms of the tenant's
own vocabularies are checked by `phitrail.events.vocabulary` on top.

All patterns admit ASCII alone, which makes every admitted string NFC. Integers stay
within ±(2^53 - 1), the range that every JSON reader keeps exact (RFC 8785 section 3.2.2.3).
"""

from typing import Annotated

from msgspec import Meta

MAX_INTEGER = 2**53 - 1

Uuid7 = Annotated[
    str,
    Meta(
        pattern=r"\A[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z",
        description="a UUIDv7 in lower case (RFC 9562)",
    ),
]
_DATE = (
    r"(?!0000)(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    r"|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])"
    r"|(?:[02468][048]|[13579][26])00)-02-29)"
)
"""A date of the calendar, leap years included, so that every time can be read back."""

Timestamp = Annotated[
    str,
    Meta(
        pattern=rf"\A{_DATE}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{{3}}Z\Z",
        description="RFC 3339 in UTC with three fraction digits and Z",
    ),
]
OpaqueId = Annotated[
    str,
    Meta(
        pattern=r"\A[A-Za-z0-9][A-Za-z0-9._:-]{0,63}\Z",
        description="1 to 64 characters: letters, digits, . _ : -",
    ),
]
CallerUserId = Annotated[
    str,
    Meta(
        pattern=r"\A[A-Za-z0-9][A-Za-z0-9._:@+-]{0,127}\Z",
        description="1 to 128 characters: letters, digits, . _ : @ + -",
    ),
]
ForeignId = Annotated[
    str,
    Meta(
        pattern=r"\A[A-Za-z0-9._:/+=-]{1,128}\Z",
        description="1 to 128 characters: letters, digits, . _ : / + = -",
    ),
]
Term = Annotated[
    str,
    Meta(
        pattern=r"\A[a-z][a-z0-9_-]{0,63}\Z",
        description="a lower-case term: letters, digits, _ and -, at most 64",
    ),
]
ModelName = Annotated[
    str,
    Meta(
        pattern=r"\A[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}\Z",
        description="1 to 128 characters: letters, digits, . _ : / @ + -",
    ),
]
FieldName = Annotated[
    str,
    Meta(
        pattern=r"\A[A-Za-z][A-Za-z0-9_.]{0,63}\Z",
        description="the name of a field: letters, digits, _ and .",
    ),
]
Surrogate = Annotated[
    str,
    Meta(
        pattern=r"\A[A-Za-z0-9_-]{43}\Z",
        description="a surrogate: 43 characters base64url",
    ),
]
SurrogateOrUnknown = Annotated[
    str,
    Meta(
        pattern=r"\A(?:[A-Za-z0-9_-]{43})?\Z",
        description="a surrogate of 43 characters base64url, or empty for unknown",
    ),
]
KeyedHash = Annotated[
    str,
    Meta(
        pattern=r"\Ahmac-sha256:[1-9][0-9]{0,5}:[A-Za-z0-9_-]{43}\Z",
        description="hmac-sha256:<key version>:<43 characters base64url>",
    ),
]
Sha256Hex = Annotated[
    str,
    Meta(pattern=r"\A[0-9a-f]{64}\Z", description="a SHA-256 in lower-case hex"),
]
Nonce = Annotated[
    str,
    Meta(pattern=r"\A[A-Za-z0-9_-]{22}\Z", description="16 bytes as base64url"),
]
IpAddress = Annotated[
    str,
    Meta(
        pattern=r"\A[0-9A-Fa-f.:]{2,45}\Z",
        description="an IPv4 or IPv6 address in its shortest form",
    ),
]
EntryRef = Annotated[
    str,
    Meta(
        pattern=r"\A(?:audit|security|quality):(?:0|[1-9][0-9]{0,15})\Z",
        description="<log>:<index of the entry>",
    ),
]
Citation = Annotated[
    str,
    Meta(
        pattern=r"\A[0-9]{2,3}\.[0-9]{3,4}(?:\([A-Za-z0-9]{1,5}\)){0,6}\Z",
        description="a paragraph of the CFR, such as 164.312(b)",
    ),
]
Origin = Annotated[
    str,
    Meta(
        pattern=r"\A[a-z0-9][a-z0-9.-]{0,62}(?:/[a-z0-9][a-z0-9.-]{0,62}){1,3}\Z",
        description="<tenant>/<log>: lower-case labels joined by /",
    ),
]
TenantName = Annotated[
    str,
    Meta(
        pattern=r"\A[a-z0-9][a-z0-9.-]{0,62}(?:/[a-z0-9][a-z0-9.-]{0,62}){0,2}\Z",
        description="lower-case labels of letters, digits, . and -, joined by /",
    ),
]
VerifierKeyText = Annotated[
    str,
    Meta(
        pattern=r"\A[!-*,-~]{1,200}\+[0-9a-f]{8}\+[A-Za-z0-9+/=]{4,100}\Z",
        description="a verifier key: name+hash+key (C2SP signed-note)",
    ),
]
NoteSignature = Annotated[
    str,
    Meta(
        pattern=r"\A[A-Za-z0-9+/]{91}=\Z",
        description="base64 of a key id and an Ed25519 signature, as in a signed note",
    ),
]
Count = Annotated[
    int, Meta(ge=0, le=MAX_INTEGER, description="an integer from 0 to 2^53-1")
]
Signed = Annotated[
    int,
    Meta(
        ge=-MAX_INTEGER,
        le=MAX_INTEGER,
        description="an integer within ±(2^53-1)",
    ),
]
MillionthsUpToOne = Annotated[
    int, Meta(ge=0, le=1_000_000, description="millionths, from 0 to 1,000,000")
]
