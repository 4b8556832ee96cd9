"""Keys of att_ms_resnet."""

RULES: list = []
