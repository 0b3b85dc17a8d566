"""The adversary: what somebody can do who obtained templates, keys or shares."""
