"""What a gallery of any size would need: memory, traffic, time and machines, before building it."""
