"""`GuardPolicy`: what a tenant wants done with PHI in an answer (`guard` in policy.yaml).

Rules:
1. What happens to a span follows from its relation to the access: `expected`, `unexpected`,
   `wrong_patient`; without record context nothing can be expected, and `without_context`
   says what happens.
2. The first of `rules` whose use cases and roles fit the access adds to the general part:
   which classes are expected there, and other actions. An access that no rule fits has the
   general part alone. An empty list of use cases or roles fits all.
3. For one span the most particular word counts, in this order: the class in the rule, the
   rule, the class in the general part, the general part.
4. A finding whose score is under the threshold of its class is passed over.
5. Names of providers may be released by policy. Clinical codes are reported, and released
   unless the policy says otherwise.
6. Unknown keys, classes and actions are refused, by key and never by value.

The digest of the policy goes into every event of the guard, so that a decision can be held
against the policy that it was taken under.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Literal, TypeAlias, TypeVar

import msgspec

from phitrail.errors import InputError
from phitrail.events.canonical import encode_canonical
from phitrail.events.codes import GuardDecision, IdentifierClass
from phitrail.events.shapes import Term
from phitrail.guard.found import Relation
from phitrail.guard.selectors import CLASS_OF_SELECTOR, Selector

ActionName: TypeAlias = Literal["release", "alert", "redact", "block"]
Score: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=1)]
RedactionStyle: TypeAlias = Literal["placeholder", "surrogate", "mask"]
StreamMode: TypeAlias = Literal["hold", "buffered"]
ValueT = TypeVar("ValueT")


class Actions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is done to a span, by relation; absent means that the next part says it."""

    expected: ActionName | None = None
    unexpected: ActionName | None = None
    wrong_patient: ActionName | None = None
    without_context: ActionName | None = None


class GeneralActions(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """What is done to a span, by relation, where nothing more particular is said."""

    expected: ActionName = "release"
    unexpected: ActionName = "redact"
    wrong_patient: ActionName = "block"
    without_context: ActionName = "redact"


class AccessRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What holds for accesses of some use cases by some roles.

    `allow` lists the classes that are expected there; absent, all are.
    """

    use_cases: tuple[Term, ...] = ()
    roles: tuple[Term, ...] = ()
    allow: tuple[Selector, ...] | None = None
    actions: Actions = Actions()
    class_actions: dict[Selector, Actions] = {}

    def __post_init__(self) -> None:
        """Refuse two words on one class.

        Raises:
            ValueError: a class is named twice; the reader of the policy says where.
        """
        _check_once(self.class_actions)

    def fits(self, use_case: str | None, role: str | None) -> bool:
        """Say whether an access falls under this rule."""
        return (not self.use_cases or use_case in self.use_cases) and (
            not self.roles or role in self.roles
        )


class GuardPolicy(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """The section `guard` of policy.yaml; docs/guard.md explains each key."""

    actions: GeneralActions = GeneralActions()
    class_actions: dict[Selector, Actions] = {}
    rules: tuple[AccessRule, ...] = ()
    threshold: Score = 0.5
    thresholds: dict[Selector, Score] = {}
    provider_names: Literal["redact", "release"] = "redact"
    clinical_codes: ActionName = "release"
    redaction: RedactionStyle = "placeholder"
    stream: StreamMode = "hold"
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=600)] = 30.0

    def __post_init__(self) -> None:
        """Refuse two words on one class.

        Raises:
            ValueError: a class is named twice; the reader of the policy says where.
        """
        _check_once(self.class_actions)
        _check_once(self.thresholds)

    def digest(self) -> str:
        """Return the SHA-256 of the policy's canonical JSON, defaults included, as hex."""
        return sha256(encode_canonical(self)).hexdigest()

    def terms(self, use_case: str | None, role: str | None) -> "AccessTerms":
        """Say what holds for one access: the general part, and the first rule that fits."""
        rule = next((r for r in self.rules if r.fits(use_case, role)), AccessRule())
        return AccessTerms(self, rule)


@dataclass(frozen=True, slots=True)
class AccessTerms:
    """What the policy says for one access."""

    policy: GuardPolicy
    rule: AccessRule

    def is_allowed(self, kind: IdentifierClass) -> bool:
        """Say whether a class is expected in this access."""
        allow = self.rule.allow
        return allow is None or any(name in allow for name in _NAMES_OF_CLASS[kind])

    def threshold(self, kind: IdentifierClass) -> float:
        """Return the score from which a finding of a class counts."""
        said = _said_of(kind, self.policy.thresholds)
        return self.policy.threshold if said is None else said

    def action(self, kind: IdentifierClass, relation: Relation | None) -> GuardDecision:
        """Return what is done to a span; `relation` is None without record context."""
        name = "without_context" if relation is None else relation.value
        parts = (
            _said_of(kind, self.rule.class_actions),
            self.rule.actions,
            _said_of(kind, self.policy.class_actions),
        )
        for part in parts:
            said = None if part is None else getattr(part, name)
            if said is not None:
                return GuardDecision(said)
        return GuardDecision(getattr(self.policy.actions, name))


_NAMES_OF_CLASS: Mapping[IdentifierClass, tuple[str, ...]] = {
    kind: tuple(name for name, each in CLASS_OF_SELECTOR.items() if each == kind)
    for kind in IdentifierClass
}


def policy_of(plain: Mapping[str, object]) -> GuardPolicy:
    """Read a policy from plain values, strictly.

    Raises:
        InputError: names the key that is unknown or wrong, never its value.
    """
    types = {field.name: field.type for field in msgspec.structs.fields(GuardPolicy)}
    for place, (key, value) in enumerate(plain.items(), start=1):
        if key not in types:
            raise InputError.for_field(
                "guard", f"unknown key number {place}; known: {', '.join(types)}"
            )
        if not _fits(value, types[key]):
            raise InputError.for_field(
                f"guard.{key}", "does not fit its rule; see docs/guard.md"
            )
    with suppress(msgspec.ValidationError):
        return msgspec.convert(dict(plain), GuardPolicy)
    raise InputError.for_field(
        "guard", "names a class twice in class_actions or thresholds; once is enough"
    )


def _fits(value: object, wanted: object) -> bool:
    with suppress(msgspec.ValidationError):
        msgspec.convert(value, wanted)
        return True
    return False


def _said_of(kind: IdentifierClass, words: Mapping[str, ValueT]) -> ValueT | None:
    """Return what is said of a class, under whichever of its names."""
    if not words:
        return None
    found = (words[name] for name in _NAMES_OF_CLASS[kind] if name in words)
    return next(found, None)


def _check_once(words: Mapping[str, object]) -> None:
    if len({CLASS_OF_SELECTOR[name] for name in words}) < len(words):
        raise ValueError("a class is named twice")
