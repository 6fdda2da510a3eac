"""Charts as pictures: SVG for a page, PDF for paper, PNG for whoever asks for it.

Needs the extra `quality` (vl-convert, which holds Vega and a font of its own); asks for
nothing from a network.
"""

from typing import Any

from phitrail.errors import ConfigError
from phitrail.quality.theme import VEGA_LITE, Spec


def svg_of(spec: Spec) -> str:
    """Draw a chart as SVG.

    Raises:
        ConfigError: the extra is not installed; says what to install.
    """
    drawn: str = _drawer().vegalite_to_svg(spec, vl_version=VEGA_LITE)
    return drawn


def png_of(spec: Spec, *, scale: float = 2.0) -> bytes:
    """Draw a chart as PNG.

    Raises:
        ConfigError: the extra is not installed.
    """
    drawn: bytes = _drawer().vegalite_to_png(spec, vl_version=VEGA_LITE, scale=scale)
    return drawn


def pdf_of(spec: Spec) -> bytes:
    """Draw a chart as a PDF of one page.

    Raises:
        ConfigError: the extra is not installed.
    """
    drawn: bytes = _drawer().vegalite_to_pdf(spec, vl_version=VEGA_LITE)
    return drawn


def _drawer() -> Any:  # noqa: ANN401 - a module
    try:
        import vl_convert  # noqa: PLC0415 - an extra
    except ImportError:
        raise ConfigError(
            "drawing charts needs vl-convert; install phitrail[quality]"
        ) from None
    return vl_convert
