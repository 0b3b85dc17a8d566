"""The runtimes: in memory, and on Ray."""
