"""Import of optional packages."""

from importlib import import_module
from typing import Any


def imported(module: str, extra: str) -> Any:
    """Return a module of an optional package, which an extra of fastmlp installs.

    Parameters
    ----------
    module : str
        Name of the module.
    extra : str
        Name of the extra, for the error message.

    Returns
    -------
    module
        The imported module.

    Raises
    ------
    ImportError
        If the package is not installed; the message has the command that installs it.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise not_installed(error.name, extra) from None


def not_installed(package: str | None, extra: str) -> ImportError:
    """Return the error of a package that is not installed, with the command that installs it."""
    return ImportError(
        f'this needs {package}, which is not installed: pip install "fastmlp[{extra}]"',
        name=package,
    )
