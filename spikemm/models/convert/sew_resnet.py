"""Keys of sew_resnet."""

RULES: list = []
