"""The model provider: networks, their adaptation, and the provider's role programs."""
