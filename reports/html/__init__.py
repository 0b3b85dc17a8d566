"""The self-contained HTML report."""

from reports.html.page import render

__all__ = ["render"]
