"""A stored head is believed only under the promise that was signed for it.

Whoever administers the database can cut entries and compute size, root and edge anew: that
takes no key. The promise over them does. So a head is checked before anything is appended
or published over it; otherwise the next signature would make a cut history good.

1. The promise verifies under the promise key of its size, and says this size and root.
2. A head that another process moved has only grown, and keys that we know signed it.
"""

from phitrail.errors import IntegrityError
from phitrail.tlog.journal import Head
from phitrail.tlog.log_keys import LogKeys


def check_head(head: Head, keys: LogKeys) -> None:
    """Check a stored head against its promise.

    Raises:
        IntegrityError: another log's journal, or an altered head.
    """
    if not head.size:
        return
    try:
        promised = keys.line.open_head(head.promise)
    except IntegrityError as error:
        raise _altered(head, str(error)) from error
    if (promised.size, promised.root) != (head.size, head.root):
        raise _altered(head, "it promises another size or root")


def check_moved(head: Head, known: Head, keys: LogKeys) -> None:
    """Check a head that is no longer the one that this process knew.

    Raises:
        IntegrityError: it went back, or was altered.
        StorageError: newer keys than ours have signed it.
    """
    keys.check_in_force(head.size, head.promise)
    if head.size < known.size:
        raise _altered(head, f"it had {known.size} entries and has {head.size}")
    check_head(head, keys)


def _altered(head: Head, why: str) -> IntegrityError:
    return IntegrityError(
        f"the journal's head of {head.log} is not what its promise says ({why}): "
        "somebody changed the database; keep it as evidence and run `phitrail verify`"
    )
