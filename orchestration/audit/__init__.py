"""Runs protocols so that their views can be audited, honest or with a planted leak."""
