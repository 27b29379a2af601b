"""fastmlp: multilayer perceptrons trained by backpropagation, in compiled vector kernels.

    net = fastmlp.MLP((784, 256, 256, 10))
    history = net.fit(X, y, epochs=15, optimizer=fastmlp.Adam(0.001))
    labels = net.predict(X_test)

The modules `activations`, `callbacks`, `encodings`, `initializers`, `losses`, `optimizers` and
`schedules` hold what a network can be made of; `augment` distorts images; `steps` is the training
step to read, `reference` the same network in plain NumPy; `datasets` brings data, `plotting` draws,
`tracking` logs training, and `distributed` trains on several machines.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import activations, augment, callbacks, encodings, initializers, losses, optimizers
from .callbacks import Callback, Checkpoint, EarlyStopping
from .data.parquet import ParquetFolder
from .ensemble import Ensemble
from .history import History, TrainingDiverged
from .loading import load
from .many import fit_many
from .network import MLP
from .optimizers import Adam, AdamW, GradientDescent, RMSprop
from .support.threads import get_num_threads, set_num_threads, show_config
from .version import __version__ as __version__

if TYPE_CHECKING:
    from . import (
        ablation,
        datasets,
        distributed,
        export,
        plotting,
        recipes,
        reference,
        schedules,
        search,
        steps,
        tracking,
    )
    from . import sklearn as sklearn
    from . import tabular as tabular

__all__ = [
    "MLP",
    "Adam",
    "AdamW",
    "Callback",
    "Checkpoint",
    "EarlyStopping",
    "Ensemble",
    "GradientDescent",
    "History",
    "ParquetFolder",
    "RMSprop",
    "TrainingDiverged",
    "ablation",
    "activations",
    "augment",
    "callbacks",
    "datasets",
    "distributed",
    "encodings",
    "export",
    "fit_many",
    "get_num_threads",
    "initializers",
    "load",
    "losses",
    "optimizers",
    "plotting",
    "recipes",
    "reference",
    "schedules",
    "search",
    "set_num_threads",
    "show_config",
    "steps",
    "tracking",
]

LAZY = (  # loaded at first use
    "ablation",
    "datasets",
    "distributed",
    "export",
    "plotting",
    "recipes",
    "reference",
    "schedules",
    "search",
    "sklearn",
    "steps",
    "tabular",
    "tracking",
)
OF_PARTS = (  # modules, whose names are looked for if one is missing here
    "activations", "augment", "callbacks", "datasets", "encodings", "initializers", "losses",
    "optimizers", "schedules", "steps", "tracking",
)
SYNONYMS = {  # names of other libraries, and names in modules with optional packages
    "SGD": "GradientDescent", "Sequential": "MLP", "Model": "MLP", "ModelCheckpoint": "Checkpoint",
    "load_model": "load", "MLPClassifier": "sklearn.MLPClassifier",
    "MLPRegressor": "sklearn.MLPRegressor", "TabularClassifier": "tabular.TabularClassifier",
    "TabularRegressor": "tabular.TabularRegressor",
}  # fmt: skip


if not TYPE_CHECKING:  # to type checkers every name would seem to exist

    def __getattr__(name: str) -> Any:
        if name in LAZY:
            return import_module(f".{name}", __name__)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}{_meant(name)}")


def _meant(name: str) -> str:
    """The end of a message about a name that is missing here: which name was perhaps meant."""
    if own := SYNONYMS.get(name, ""):
        return f"; did you mean fastmlp.{own}?"
    for module in () if name.startswith("_") else OF_PARTS:
        if name in import_module(f".{module}", __name__).__all__:
            return f"; did you mean fastmlp.{module}.{name}?"
    return ""


def __dir__() -> list[str]:
    # with __all__, by which the documentation finds what belongs to the package
    return sorted({*__all__, "__all__", "__version__", "sklearn", "tabular"})
