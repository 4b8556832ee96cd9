"""Keys of sdt_v1."""

RULES: list = []
