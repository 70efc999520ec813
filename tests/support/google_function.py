"""What functions-framework loads; a caller puts its own function in the place of this one."""


def webhooks(request: object) -> str:
    return "not replaced"
