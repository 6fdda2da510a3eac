"""Documents: texts that stand sealed beside the logs; the log holds their SHA-256.

What a person writes or asks in words of his own (the filter of a query, later the rationale
of a case) may name somebody, so no entry can hold it. It stands in `state/documents/`
under its digest, sealed with the audit log's key, and is durable before the entry that
names it. A document that does not hash to its name is refused.
"""

import hashlib

from phitrail.app.wiring import Trail
from phitrail.durable.files import DurableFiles
from phitrail.errors import IntegrityError
from phitrail.events.codes import Log

DOCUMENTS = "state/documents"


def keep_document(trail: Trail, text: bytes) -> str:
    """Seal a text and make it durable; return its SHA-256 in hex.

    Raises:
        StorageError: it could not be written.
    """
    digest = hashlib.sha256(text).hexdigest()
    files, path = DurableFiles(trail.directory), f"{DOCUMENTS}/{digest}"
    if not (trail.directory / path).exists():
        seal = trail.log_keys[Log.AUDIT.value].seal
        files.put_many({path: seal(text, document_context(digest))})
    return digest


def seal_again(trail: Trail, text: bytes) -> None:
    """Seal a text that was kept before, under the key that is in use now.

    Raises:
        StorageError: it could not be written; it stands as it did.
    """
    digest = hashlib.sha256(text).hexdigest()
    envelope = trail.log_keys[Log.AUDIT.value].seal(text, document_context(digest))
    DurableFiles(trail.directory).put_many({f"{DOCUMENTS}/{digest}": envelope})


def open_document(trail: Trail, digest: str) -> bytes | None:
    """Open the text of a digest; `None` where no document of it was kept.

    Raises:
        RefusedError: it is in quarantine: its key is compromised.
        IntegrityError: the document was altered or is another's.
        StorageError: it cannot be read.
    """
    try:
        envelope = DurableFiles(trail.directory).read(f"{DOCUMENTS}/{digest}")
    except FileNotFoundError:
        return None
    text = trail.shown_keys[Log.AUDIT.value].open(envelope, document_context(digest))
    if hashlib.sha256(text).hexdigest() != digest:
        raise IntegrityError(f"document {digest} does not hash to its name")
    return text


def document_context(digest: str) -> bytes:
    """Return what a sealed document is bound to."""
    return f"phitrail/document/v1|{digest}".encode()
