"""Small published CSVs with invented crystals, for tests: the layout of the real files, a few rows."""

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from llm4mat_bench.dataset_builder.catalogue import Source, get_source

Row = dict[str, str]
CIF = (
    "# generated using pymatgen\ndata_{formula}\n_symmetry_space_group_name_H-M   'P 1'\n_cell_length_a   {a:.8f}\n"
    "_cell_length_b   4.00000000\n_cell_length_c   5.00000000\n_cell_angle_alpha   90.00000000\n"
    "_cell_angle_beta   90.00000000\n_cell_angle_gamma   90.00000000\n_symmetry_Int_Tables_number   1\n"
    "_chemical_formula_structural   {formula}\n_chemical_formula_sum   '{total}'\n_cell_volume   {volume:.8f}\n"
    "_cell_formula_units_Z   1\nloop_\n _symmetry_equiv_pos_site_id\n _symmetry_equiv_pos_as_xyz\n  1  'x, y, z'\n"
    "loop_\n _atom_site_type_symbol\n _atom_site_label\n _atom_site_symmetry_multiplicity\n _atom_site_fract_x\n"
    " _atom_site_fract_y\n _atom_site_fract_z\n _atom_site_occupancy\n  {first}  {first}0  1  0.0  0.0  0.0  1\n"
    "  {second}  {second}1  1  0.5  0.5  0.5  1\n"
)
PAIRS = [("Na", "Cl"), ("Na", "N"), ("Mg", "O"), ("Li", "F"), ("K", "Br"), ("Zn", "S"), ("Ga", "As"), ("Cs", "I")]


def header(source: Source) -> list[str]:
    published = source.published
    labels = [prop.published_column for prop in source.properties]
    return [
        published.id_column or f"{source.id}_id",
        published.formula_column,
        "structure",
        "description",
        *labels,
        "cif_structure",
    ]


def row(source: Source, number: int) -> Row:
    """One faultless row; its crystal differs from that of every other number."""
    first, second = PAIRS[number % len(PAIRS)]
    a = 3.0 + 0.001 * number
    formula = first + second
    cells = {
        source.published.id_column or f"{source.id}_id": f"id-{number}",
        source.published.formula_column: formula,
        "structure": f"{{'@class': 'Structure', 'number': {number}}}",
        "description": f'{formula} is a crystal. The {first}–{second} bond length is {a:.3f} Å, "as computed".',
        "cif_structure": CIF.format(
            formula=formula, a=a, total=f"{first}1 {second}1", volume=a * 20, first=first, second=second
        ),
    }
    for place, prop in enumerate(source.properties):
        if prop.classes:
            cells[prop.published_column] = (prop.classes.negative, prop.classes.positive)[number % 2]
        else:
            value = number * 0.125 - place
            ends = (prop.possible.minimum, prop.possible.above) if prop.possible else ()
            if any(end is not None and end >= -1 for end in ends):
                value = (number % 16 + 1) / 32 + place  # a gap, a volume, a density
            if prop.possible and prop.possible.maximum == 1:
                value -= place  # a share
            cells[prop.published_column] = repr(value)
    return cells


def write_csv(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, columns, lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows(rows)


def write_published(
    folder: Path,
    name: str = "mp",
    sizes: tuple[int, int, int] = (8, 2, 3),
    change: Callable[[dict[str, list[Row]]], None] = lambda splits: None,
    columns: Sequence[str] | None = None,
) -> Source:
    """Write the three files of a source; ``change`` may spoil the rows first."""
    source = get_source(name)
    numbers = iter(range(sum(sizes)))
    splits = {
        split: [row(source, next(numbers)) for _ in range(size)]
        for split, size in zip(("train", "validation", "test"), sizes, strict=True)
    }
    change(splits)
    for split, rows in splits.items():
        write_csv(folder / source.published.folder / f"{split}.csv", columns or header(source), rows)
    return source


def with_sizes(source: Source, sizes: tuple[int, int, int]) -> Source:
    """The same source, as if so many rows were published."""
    train, validation, test = sizes
    published = source.published.model_copy(
        update={
            "rows": sum(sizes),
            "splits": source.published.splits.model_copy(
                update={"train": train, "validation": validation, "test": test}
            ),
        }
    )
    return source.model_copy(update={"published": published})
