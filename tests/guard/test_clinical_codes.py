"""Clinical codes are reported with their vocabulary, and vitamins are no diagnoses."""

import pytest

from phitrail.events.codes import IdentifierClass as Class
from phitrail.guard.clinical_codes import find_clinical_codes


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("E11.9 and J45.909", [("E11.9", "code.icd10"), ("J45.909", "code.icd10")]),
        ("ICD-10: I10, E119", [("I10", "code.icd10"), ("E119", "code.icd10")]),
        ("CPT 66984-RT", [("66984-RT", "code.cpt")]),
        ("HCPCS J1745", [("J1745", "code.hcpcs")]),
        ("LOINC 4548-4", [("4548-4", "code.loinc")]),
        ("LOINC 4548-5", []),
        ("SNOMED CT 44054006", [("44054006", "code.snomed")]),
        ("NDC 0069-0187-21", [("0069-0187-21", "code.ndc")]),
        (
            "99214, primary diagnosis I10",
            [("99214", "code.cpt"), ("I10", "code.icd10")],
        ),
        ("DRG 470", [("470", "code.drg")]),
        ("B12 low, T4 1.2, H1N1, A1c 7.2, zip 44120", []),
    ],
)
def test_a_code_is_reported_with_its_vocabulary(
    text: str, codes: list[tuple[str, str]]
) -> None:
    """A missed code understates the risk; a vitamin taken for one overstates it."""
    found = find_clinical_codes(text)

    assert codes == [(text[one.start : one.end], one.rule) for one in found]
    assert all(one.identifier_class is Class.CLINICAL_CODE for one in found)
