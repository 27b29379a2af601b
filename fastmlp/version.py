"""The version of fastmlp."""

__version__ = "0.1.0"
