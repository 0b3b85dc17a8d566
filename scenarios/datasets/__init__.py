"""The faces a scenario runs on."""
