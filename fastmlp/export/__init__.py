"""Trained networks in other forms, for the places that have no fastmlp.

    fastmlp.export.to_html(net, "digits.html")      # a page to draw digits on
"""

from .html import to_html

__all__ = ["to_html"]
