"""Optional packages, imported when something needs them."""

from importlib import import_module
from typing import Any


def imported(module: str, extra: str) -> Any:
    """Import a module of an optional package, or say which extra of fastmlp brings it.

    Raises
    ------
    ImportError
        If the package is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise ImportError(
            f'this needs {error.name}, which is not installed: pip install "fastmlp[{extra}]"',
            name=error.name,
        ) from None
