"""What a decorated function needs: who asks, out of its arguments, and its signature.

The decorators themselves stand with the trails (`sdk.trail`), one for each form.
"""

import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def resolved(
    who: dict[str, Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any]:
    """Ask the callables among the values, with the arguments of the call."""
    return {
        name: value(*args, **kwargs) if callable(value) else value
        for name, value in who.items()
    }


def without_first_parameter(
    call: Callable[P, R], function: Callable[..., Any]
) -> Callable[P, R]:
    """Show the signature that callers use: without the access."""
    signature = inspect.signature(function)
    _, *rest = signature.parameters.values()
    call.__signature__ = signature.replace(parameters=rest)  # type: ignore[attr-defined]
    return call
