"""Data sets: MNIST and the UCI digits, and a reader of IDX files."""

from .digits import Digits, digits
from .idx import read_idx
from .mnist import MNIST, mnist

__all__ = ["MNIST", "Digits", "digits", "mnist", "read_idx"]
