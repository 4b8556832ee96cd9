"""Keys of ems_resnet."""

RULES: list = []
