"""A describer whose libraries are missing."""


def prepare() -> None:
    raise ModuleNotFoundError("No module named 'robocrys'")


def describe(structure: object, style: str) -> tuple[str, dict[str, object]]:
    raise AssertionError("never called")
