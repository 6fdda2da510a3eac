"""Names that an analyst guesses: the views over the tables, each with what it is for.

A view is one SELECT over `audit`, `security`, `quality` (one row an entry) and
`audit_records` (one row a record touched). Every count of accesses counts distinct
`access_id`; every count of events counts distinct `event_id`, since a long event stands in
parts. An access that has no closing is shown with `is_closed` false and no outcome.
"""

from dataclasses import dataclass
from typing import Final

OPENINGS: Final = (
    "('phi_read', 'phi_write', 'phi_export', 'ai_inference', 'ai_inference_with_phi')"
)


@dataclass(frozen=True, slots=True)
class View:
    """One view: its name, what one row is, and its SELECT."""

    name: str
    row: str
    select: str


VIEWS: Final = (
    View(
        "accesses",
        "one access: its openings joined with its closing; unclosed ones too",
        f"""SELECT access_id,
            min(timestamp_utc) FILTER (event_type IN {OPENINGS}) AS opened_at,
            max(timestamp_utc) FILTER (event_type = 'access_closed') AS closed_at,
            bool_or(event_type = 'access_closed') AS is_closed,
            max(outcome) FILTER (event_type = 'access_closed') AS outcome,
            max(user_id) AS user_id, max(user_role) AS user_role,
            max(department) AS department, max(use_case) AS use_case,
            max(purpose_of_use) AS purpose_of_use, max(session_id) AS session_id,
            max(request_id) AS request_id, max(source_ip) AS source_ip,
            max(ai_model_id) AS ai_model_id, max(ai_model_version) AS ai_model_version,
            max(assurance) AS assurance,
            count(DISTINCT event_id) FILTER (event_type IN {OPENINGS}) AS opening_count,
            max(released_chars) AS released_chars, max(input_tokens) AS input_tokens,
            max(output_tokens) AS output_tokens, max(latency_us) AS latency_us,
            bool_or(response_phi_detected) AS response_phi_detected,
            max(guard_decision) AS guard_decision, min(idx) AS first_idx,
            max(idx) AS last_idx
        FROM audit WHERE access_id IS NOT NULL GROUP BY access_id""",
    ),
    View(
        "unclosed_accesses",
        "one access that was opened and never closed; imported history is left out",
        f"""SELECT a.access_id, min(a.timestamp_utc) AS opened_at,
            min(a.received_at) AS received_at, max(a.user_id) AS user_id,
            max(a.user_role) AS user_role, max(a.department) AS department,
            max(a.use_case) AS use_case, max(a.purpose_of_use) AS purpose_of_use,
            max(a.ai_model_id) AS ai_model_id,
            max(a.ai_model_version) AS ai_model_version,
            max(a.request_id) AS request_id, max(a.session_id) AS session_id,
            max(a.source_id) AS source_id, max(a.source_epoch) AS source_epoch,
            max(a.assurance) AS assurance,
            count(DISTINCT a.event_id) AS opening_count,
            count(DISTINCT nullif(r.patient, '')) AS patient_count,
            count(DISTINCT r.record) AS record_count, min(a.idx) AS first_idx
        FROM audit a LEFT JOIN audit_records r ON r.idx = a.idx
            AND r.cluster = a.cluster
        WHERE a.event_type IN {OPENINGS} AND coalesce(a.assurance, '') <> 'imported'
            AND a.access_id IS NOT NULL AND a.access_id NOT IN (SELECT access_id FROM audit
                WHERE event_type = 'access_closed' AND access_id IS NOT NULL)
        GROUP BY a.access_id""",
    ),
    View(
        "records_touched",
        "one record of one patient that one event names",
        """SELECT r.patient, r.record, r.resource_type, e.idx, e.event_id, e.access_id,
            e.event_type, e.timestamp_utc, e.user_id, e.user_role, e.department,
            e.use_case, e.purpose_of_use, e.action, e.request_id, e.session_id
        FROM audit_records r JOIN audit e ON e.idx = r.idx AND e.cluster = r.cluster""",
    ),
    View(
        "denials",
        "one access that was refused",
        """SELECT * EXCLUDE (cluster) FROM audit
        WHERE event_type = 'phi_access_denied' OR outcome = 'denied'""",
    ),
    View(
        "outputs_flagged",
        "one answer in which PHI was found",
        """SELECT * EXCLUDE (cluster) FROM audit
        WHERE event_type = 'ai_phi_output_detected' OR response_phi_detected""",
    ),
    View(
        "exports",
        "one export of PHI",
        "SELECT * EXCLUDE (cluster) FROM audit WHERE event_type = 'phi_export'",
    ),
    View(
        "reads_of_the_log",
        "one read of a log by a person",
        "SELECT * EXCLUDE (cluster) FROM audit WHERE event_type = 'audit_log_read'",
    ),
    View(
        "identity_lookups",
        "one look-up or disclosure of whom a surrogate stands for",
        """SELECT * EXCLUDE (cluster) FROM audit
        WHERE event_type IN ('identity_looked_up', 'identity_disclosed')""",
    ),
    View(
        "model_requests",
        "one request to a model",
        "SELECT * FROM quality WHERE schema = 'phitrail/quality-entry/v1'",
    ),
    View(
        "feedback",
        "one rating of one request",
        "SELECT * FROM quality WHERE schema = 'phitrail/feedback/v1'",
    ),
    View(
        "rollouts",
        "one rollout of a model version",
        "SELECT * FROM quality WHERE schema = 'phitrail/rollout/v1'",
    ),
    View(
        "alerts",
        "one move of one alert",
        "SELECT * EXCLUDE (cluster) FROM security WHERE schema = 'phitrail/alert/v1'",
    ),
    View(
        "security_decisions",
        "one decision of guard, gateway or door",
        """SELECT * EXCLUDE (cluster) FROM security
        WHERE schema = 'phitrail/security-event/v1'""",
    ),
)
