"""Rings, generators, shares and bit-sliced kernels."""
