"""The model card speaks of the model that ships."""

from hashlib import sha256

from tests.docs.pages import DOCS

from phitrail.guard.tagger import MODEL


def test_the_card_names_the_digest_of_the_model() -> None:
    """Figures of another model say nothing about this one."""
    card = (DOCS / "guard-model-card.md").read_text(encoding="utf-8")

    assert sha256(MODEL.read_bytes()).hexdigest() in card
