"""Measurements that the command line runs on request; nothing here is needed by a scenario."""
