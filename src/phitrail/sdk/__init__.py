"""The public Python face of phitrail: open a trail, record accesses, get receipts.

```python
from phitrail.sdk import connect

trail = connect("./phitrail")
with trail.access(user_id="dr-0012", user_role="physician", use_case="chart_qa") as a:
    a.retrieved([("mrn-1", "note-7", "DocumentReference")], query=question)
    a.infer(model_id="m", model_version="1")
    answer = a.release(text)
```
"""

from phitrail.capture.model_call import ModelCall
from phitrail.events.audit import AuditEvent
from phitrail.events.codes import EventType, FinishReason
from phitrail.events.protected import Protected
from phitrail.events.quality import Feedback, QualityEntry, Rollout
from phitrail.events.security import SecurityEvent
from phitrail.sdk.access import Access, AsyncAccess
from phitrail.sdk.connect import aconnect, connect
from phitrail.sdk.trail import AsyncTrail, Trail
from phitrail.tlog.receipt import Receipt

__all__ = [
    "Access",
    "AsyncAccess",
    "AsyncTrail",
    "AuditEvent",
    "EventType",
    "Feedback",
    "FinishReason",
    "ModelCall",
    "Protected",
    "QualityEntry",
    "Receipt",
    "Rollout",
    "SecurityEvent",
    "Trail",
    "aconnect",
    "connect",
]
