"""What is run: the scenario schema, the data sets and the shipped scenario files."""
