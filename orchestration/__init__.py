"""How it runs: runtimes, journal, run store, command line."""
