"""Input protections side by side: what they cost, and what the linear attack reads from them."""
