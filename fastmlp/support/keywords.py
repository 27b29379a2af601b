"""Keyword arguments that a function does not have: misspelt ones, and those of other libraries.

Python's own error names the argument and nothing else.  The error here also says which argument was
perhaps meant, or which function has it, and lists the arguments that there are.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from functools import lru_cache, wraps
from typing import Any, NamedTuple, Self, TypeVar, cast

__all__ = ["WithKeywords", "guess", "with_keywords"]

Function = TypeVar("Function", bound=Callable[..., Any])

# keywords of other libraries, by what they may be called here
SYNONYMS = {
    "lr": ("learning_rate", "rate"), "max_lr": ("rate",), "learning_rate": ("rate",),
    "learning_rate_init": ("learning_rate",), "eta": ("learning_rate",),
    "epoch": ("epochs",), "n_epochs": ("epochs",), "nb_epoch": ("epochs",),
    "num_epochs": ("epochs",), "max_iter": ("epochs",), "hidden_layer_sizes": ("sizes", "hidden"),
    "hidden_sizes": ("sizes", "hidden"), "layers": ("sizes", "hidden"), "units": ("sizes",),
    "hidden": ("sizes",), "sizes": ("hidden",), "hidden_layers": ("sizes", "hidden"),
    "random_state": ("seed",), "random_seed": ("seed",), "kernel_initializer": ("init",),
    "initializer": ("init",), "dropout_rate": ("dropout",), "batch_normalization": ("batch_norm",),
    "validation_split": ("validation_data",), "val_data": ("validation_data",),
    "class_weight": ("sample_weight",), "x": ("X",), "alpha": ("l2", "slope", "rho"),
    "lambda_": ("l2",), "max_grad_norm": ("clip_norm",), "clipnorm": ("clip_norm",),
    "n_jobs": ("n_threads",), "num_threads": ("n_threads",), "num_workers": ("n_threads",),
    "eps": ("epsilon",), "betas": ("beta_1",), "beta": ("momentum",),
    "negative_slope": ("slope",), "restore_best_weights": ("restore_best",),
    "gamma": ("factor",), "step_size": ("every",), "decay_steps": ("every",), "t_max": (
        "total_steps",
    ), "decay_rate": ("factor",), "save_freq": ("every",), "filepath": ("path",), "log_dir": (
        "folder",
    ),
}  # fmt: skip
OF_FIT, OF_NETWORK = "MLP.fit", "MLP"
# functions that have an argument, or something in its place
PLACES = {
    **dict.fromkeys(
        ("epochs", "batch_size", "optimizer", "l2", "validation_data", "sample_weight", "callbacks",
         "early_stopping", "shuffle", "verbose", "label_smoothing", "clip_norm", "n_threads"),
        OF_FIT,
    ),
    **dict.fromkeys(
        ("sizes", "activation", "output_activation", "loss", "init", "batch_norm", "dropout",
         "seed", "dtype"),
        OF_NETWORK,
    ),
    "learning_rate": "the optimizer, as in optimizer=fastmlp.Adam(0.01)",
    "momentum": "the optimizer, as in optimizer=fastmlp.GradientDescent(0.01, momentum=0.9)",
    "weight_decay": "the optimizer, as in optimizer=fastmlp.AdamW(0.01, weight_decay=0.01)",
    "patience": "the callback, as in early_stopping=fastmlp.EarlyStopping(patience=5)",
}  # fmt: skip


def guess(name: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown keyword: what was meant, or what there is."""
    from difflib import get_close_matches  # imported here because only a mistake needs it

    known = list(known)
    meant = (name, *SYNONYMS.get(name.lower(), ()))
    if own := [one for one in meant if one in known]:
        return f"; did you mean {own[0]!r}?"
    if elsewhere := [one for one in meant if one in PLACES]:
        return f"; {elsewhere[0]} is an argument of {PLACES[elsewhere[0]]}"
    if close := get_close_matches(name, known, n=1):
        return f"; did you mean {close[0]!r}?"
    return f". Known: {', '.join(known)}"


def _require_known(function: str, given: Iterable[str], known: Collection[str]) -> None:
    """Raise TypeError at the first keyword that is unknown."""
    for name in given:
        if name not in known:
            raise TypeError(f"{function} has no argument {name!r}{guess(name, known)}")


def with_keywords(function: Function) -> Function:
    """Return a function that says more about keywords which it does not have."""
    known = [name for name in inspect.signature(function).parameters if name != "self"]
    names = frozenset(known)

    @wraps(function)
    def call(*arguments: Any, **keywords: Any) -> Any:
        if not keywords.keys() <= names:
            _require_known(function.__qualname__, keywords, known)
        return function(*arguments, **keywords)

    return cast("Function", call)


class Arguments(NamedTuple):
    """Names of the arguments of a constructor: all, and those that may be given by place."""

    all: Sequence[str]
    by_place: Sequence[str]


@lru_cache(maxsize=256)
def _arguments_of(kind: type[Any]) -> Arguments | None:
    """The arguments by which objects of a class are made; None if it takes any."""
    found = list(inspect.signature(kind.__init__).parameters.values())[1:]
    if any(one.kind in (one.VAR_KEYWORD, one.VAR_POSITIONAL) for one in found):
        return None
    by_place = [one.name for one in found if one.kind is not one.KEYWORD_ONLY]
    return Arguments([one.name for one in found], by_place)


class _OfConstructor:
    """The signature of a class, that of its `__init__`, which tools would take from `__new__`."""

    def __get__(self, instance: object, kind: type[Any]) -> inspect.Signature:
        if instance is not None:  # whose signature is that of its `__call__`
            raise AttributeError("__signature__")
        own = inspect.signature(kind.__init__)
        return own.replace(parameters=list(own.parameters.values())[1:])


class WithKeywords:
    """Base of classes whose constructors say more about arguments which they do not have."""

    __signature__ = _OfConstructor()

    def __new__(cls, *arguments: Any, **keywords: Any) -> Self:
        if not arguments and not keywords:
            return super().__new__(cls)
        if cls.__init__ is object.__init__:
            raise TypeError(f"{cls.__name__}() takes no arguments")
        if (own := _arguments_of(cast("Hashable", cls))) is not None:
            _require_known(cls.__name__, keywords, own.all)
            if len(arguments) > len(own.by_place):
                numbers = len(own.by_place) == 1 and all(isinstance(one, int) for one in arguments)
                raise TypeError(
                    f"{cls.__name__} takes {', '.join(own.by_place) or 'nothing'} by place and "
                    f"other arguments by name, but got {len(arguments)} by place"
                    + (f": write {cls.__name__}({arguments})" if numbers else "")
                )
        return super().__new__(cls)
