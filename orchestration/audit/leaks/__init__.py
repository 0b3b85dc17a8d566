"""Planted leaks: small changes to honest parties that the audit must notice."""

from __future__ import annotations

from orchestration.audit.leaks.catalogue import LEAKS
from orchestration.audit.leaks.plant import Leak, Plant

__all__ = ["LEAKS", "Leak", "Plant"]
