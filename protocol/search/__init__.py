"""Searching a secret-shared gallery."""
