"""Private search beside plain search and CrypTen: one run, the same cores, turn by turn."""
