"""A log as one CloudTrail-shaped JSON document: `{"Records": [...]}`.

Each entry becomes one record: eventType, eventTime, userIdentity, requestParameters,
sourceIPAddress, userAgent, requestID, aiContext, integrityHash. The hash is the leaf hash
(RFC 6962), so a record can be proven with the log's own tiles. What has no place of its
own in that shape stands in `requestParameters` under its own name; nothing is left out
but the nonce and the schema.

Only the shape is CloudTrail's: AWS made none of these records.
"""

from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO

import msgspec

from phitrail.app.leaf_chunk import LeafChunk

_IDENTITY = {
    "actor_type": "type",
    "user_id": "userName",
    "user_role": "role",
    "department": "department",
    "on_behalf_of": "onBehalfOf",
    "agent_id": "agentId",
    "run_id": "runId",
    "job_id": "jobId",
    "session_id": "sessionId",
    "attribution_basis": "attributionBasis",
}
_AI = {
    "ai_model_id": "modelId",
    "ai_model_version": "modelVersion",
    "ai_model_digest": "modelDigest",
    "deployment_id": "deploymentId",
    "prompt_template_version": "promptTemplateVersion",
    "use_case": "useCase",
    "output_kind": "outputKind",
    "query_hash": "queryHash",
    "query_hash_norm": "queryHashNormalised",
    "query_chars": "queryChars",
    "response_hash": "responseHash",
    "response_hash_norm": "responseHashNormalised",
    "released_chars": "releasedChars",
    "input_tokens": "inputTokens",
    "output_tokens": "outputTokens",
    "latency_us": "latencyUs",
    "response_phi_detected": "responsePhiDetected",
    "guard_decision": "guardDecision",
    "human_review_action": "humanReviewAction",
}
_ELSEWHERE = frozenset(
    {
        *_IDENTITY,
        *_AI,
        *("schema", "nonce", "event_type", "event_id", "timestamp_utc", "created_at"),
        *("source_ip", "service_component", "request_id"),
    }
)
_ENCODER = msgspec.json.Encoder()


def write_cloudtrail(file: BinaryIO, chunks: Iterable[LeafChunk]) -> None:
    """Write a log as one document, a record a line.

    Raises:
        OSError: the file cannot be written.
    """
    file.write(b'{"Records":[')
    between = b"\n"
    for chunk in chunks:
        for index, leaf, leaf_hash in zip(
            range(chunk.first, chunk.first + len(chunk.leaves)),
            chunk.leaves,
            chunk.hashes,
            strict=True,
        ):
            fields = msgspec.json.decode(leaf, type=dict[str, Any])
            record = cloudtrail_record(fields, index, leaf_hash)
            file.write(between + _ENCODER.encode(record))
            between = b",\n"
    file.write(b"\n]}\n")


def cloudtrail_record(
    fields: Mapping[str, Any], index: int, leaf_hash: bytes
) -> dict[str, Any]:
    """Give one entry the shape of a CloudTrail record."""
    kind = str(fields["schema"]).split("/")[1]  # phitrail/<kind>/v1
    parameters = {k: v for k, v in fields.items() if k not in _ELSEWHERE}
    return {
        "eventType": fields.get("event_type", kind.replace("-", "_")),
        "eventTime": fields.get("timestamp_utc") or fields.get("created_at"),
        "eventID": fields.get("event_id"),
        "userIdentity": _renamed(fields, _IDENTITY),
        "requestParameters": {"logIndex": index, **parameters},
        "sourceIPAddress": fields.get("source_ip"),
        "userAgent": fields.get("service_component"),
        "requestID": fields.get("request_id"),
        "aiContext": _renamed(fields, _AI),
        "integrityHash": leaf_hash.hex(),
    }


def _renamed(fields: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names[name]: fields[name] for name in names if name in fields}
