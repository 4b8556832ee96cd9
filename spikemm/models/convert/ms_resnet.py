"""Keys of ms_resnet."""

RULES: list = []
