"""Who says it: the state and role programs of each party."""
