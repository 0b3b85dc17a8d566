"""Mappings side by side: what a strict 1:N search loses, and what a thief of keys recovers."""
