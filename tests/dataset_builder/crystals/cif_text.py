"""Small CIFs for tests."""

from collections.abc import Sequence

SALT = (("Na1", "Na", "0", "0", "0"), ("Cl1", "Cl", "0.5", "0.5", "0.5"))
COLUMNS = ("label", "type_symbol", "fract_x", "fract_y", "fract_z")


def cif(
    cell: Sequence[object] = (5.64, 5.64, 5.64, 90, 90, 90),
    atoms: Sequence[Sequence[str]] = SALT,
    *,
    symbol: str | None = None,
    number: int | None = None,
    hall: str | None = None,
    operations: Sequence[str] = (),
    formula: str | None = None,
    units: int | None = None,
    columns: Sequence[str] = COLUMNS,
    name: str = "x",
    more: str = "",
) -> str:
    """Write a CIF of these fields."""
    lines = [f"data_{name}"]
    tags = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
    lines += [f"_cell_{tag} {value}" for tag, value in zip(tags, cell, strict=True)]
    for tag, value in (
        ("_symmetry_space_group_name_H-M", symbol),
        ("_symmetry_Int_Tables_number", number),
        ("_space_group_name_Hall", hall),
        ("_chemical_formula_sum", formula),
        ("_cell_formula_units_Z", units),
    ):
        if value is not None:
            lines.append(f"{tag} '{value}'" if '"' not in str(value) else f'{tag} "{value}"')
    if operations:
        lines += ["loop_", "_space_group_symop_operation_xyz", *(f"'{one}'" for one in operations)]
    lines += [more] if more else []
    lines += ["loop_", *(f"_atom_site_{column}" for column in columns), *(" ".join(atom) for atom in atoms)]
    return "\n".join(lines) + "\n"
