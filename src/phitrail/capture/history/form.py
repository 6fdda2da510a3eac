"""The forms in which an old system's records are taken in."""

from enum import StrEnum


class HistoryForm(StrEnum):
    """What a file of old records looks like."""

    AUDIT_JSONL = "audit-jsonl"
    CHAINED_JSONL = "chained-jsonl"
    CLOUDTRAIL = "cloudtrail"
    CSV = "csv"
    FHIR = "fhir"
    KMS_CLOUDTRAIL = "kms-cloudtrail"
    VAULT_AUDIT = "vault-audit"

    @property
    def family(self) -> str:
        """Name the form for ids: JSON lines are the same entries with a chain or not."""
        return "jsonl" if self.value.endswith("jsonl") else self.value
