"""Keys of spikformer."""

RULES: list = []
