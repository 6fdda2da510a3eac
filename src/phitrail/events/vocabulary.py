"""The tenant's own terms: every field of the shape `Term` takes its value from a list.

Nobody can spell a patient's name into `department` when the departments are listed.
Lists stand in `tenant.yaml`; codes that phitrail itself writes are always admitted.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from phitrail.errors import InputError

FIELDS_OF_LIST: Mapping[str, tuple[str, ...]] = {
    "roles": ("user_role",),
    "departments": ("department",),
    "use_cases": ("use_case",),
    "components": ("service_component",),
    "facilities": ("facility_id",),
    "destinations": ("destination",),
    "tools": ("tool_name",),
    "models": ("ai_model_id", "model_id"),
    "providers": ("provider",),
    "rollouts": ("rollout",),
    "phi_fields": ("phi_fields_accessed",),
    "reason_codes": ("reason_code", "reason_codes", "error_code"),
    "detectors": ("detector",),
}
"""List name in tenant.yaml -> the fields that take their values from it."""

LIST_OF_FIELD: Mapping[str, str] = {
    field: name for name, fields in FIELDS_OF_LIST.items() for field in fields
}

PRODUCT_TERMS: Mapping[str, frozenset[str]] = {
    "components": frozenset({"phitrail", "phitrail-cli", "phitrail-sdk"}),
    "reason_codes": frozenset(
        {
            "chain_absent",
            "chain_broken",
            "chain_intact",
            "chain_not_checkable",
            "chain_partial",
            "entries_intact",
            "anchor_held_again",
            "anchor_other_history",
            "anchor_refused",
            "anchor_unreachable",
            "event_id_not_comparable",
            "event_id_reused",
            "guard_error",
            "guard_timeout",
            "guard_unknown_class",
            "patients_not_looked_up",
            "unexpected_phi",
            "wrong_patient",
            "export_c2sp",
            "export_chained_jsonl",
            "export_cloudtrail",
            "log_show",
            "log_tail",
            "log_prove",
            "log_query",
            "log_match",
            "key_check",
            "key_show",
            "key_uses",
            "counts_agree",
            "counts_differ",
            "source_reconcile",
            "log_unclosed",
            "rule_backtest",
            "key_change",
            "key_decrypt",
            "key_delete",
            "key_encrypt",
            "key_export",
            "key_make",
            "key_read",
            "key_rewrap",
            "key_rotate",
            "key_sign",
            "key_verify",
            "completeness_statement",
            "tenant_created",
            "alert_list",
            "alert_show",
            "alert_stats",
            "overdue",
            "overdue_twice",
            "regression",
            "shift_after_rollout",
            "not_worse_shown",
            "accepted_despite",
            "event_count",
            "value_count",
            "value_sum",
            "temporal",
            "temporal_ordered",
            "matched",
            "late",
            "joined",
            "rule_changed",
            "beyond_horizon",
            "state_cap",
            "facts_unreadable",
            "clock_ahead",
            "clock_behind",
        }
    ),
    "detectors": frozenset({"guard", "recorder", "detection"}),
}
"""Terms that phitrail itself writes, admitted in every tenant."""

_FIELDS_OF_TYPE: dict[type[msgspec.Struct], tuple[str, ...]] = {}


def _listed_fields(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    fields = _FIELDS_OF_TYPE.get(kind)
    if fields is None:
        fields = tuple(f for f in kind.__struct_fields__ if f in LIST_OF_FIELD)
        _FIELDS_OF_TYPE[kind] = fields
    return fields


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The admitted terms, by field; `source` is the file that an error points to."""

    terms: Mapping[str, frozenset[str]]
    source: str = "tenant.yaml"

    @classmethod
    def from_lists(
        cls, lists: Mapping[str, frozenset[str]], source: str = "tenant.yaml"
    ) -> "Vocabulary":
        """Build from lists by name (`roles`, `departments`, ...).

        Raises:
            InputError: a list name is not known.
        """
        for name in lists:
            if name not in FIELDS_OF_LIST:
                raise InputError.for_field(
                    f"vocabulary.{name}",
                    f"not a list of {source}; lists: {', '.join(FIELDS_OF_LIST)}",
                )
        nothing: frozenset[str] = frozenset()
        return cls(
            terms={
                field: lists.get(name, nothing) | PRODUCT_TERMS.get(name, nothing)
                for field, name in LIST_OF_FIELD.items()
            },
            source=source,
        )

    def check(self, record: msgspec.Struct) -> None:
        """Refuse a record with a term that the tenant does not list.

        Raises:
            InputError: names the field, the list and the file; never the value.
        """
        for field in _listed_fields(type(record)):
            value = getattr(record, field)
            if value is None:
                continue
            admitted = self.terms[field]
            if isinstance(value, str) and value in admitted:
                continue
            if not isinstance(value, tuple) or not all(
                isinstance(term, str) and term in admitted for term in value
            ):
                raise InputError.for_field(
                    field,
                    f"not a term of vocabulary.{LIST_OF_FIELD[field]} "
                    f"in {self.source}; add it there or correct the caller",
                )
