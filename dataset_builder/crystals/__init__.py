"""Crystals as text: formulas, the fields of a CIF, and structures in every form they are brought in.

The one place where a formula is read (`formulas`), where fields of a CIF are taken out or away (`cif_fields`), and
where a text becomes a structure or a structure a CIF (`reading`, `structures`). Heavy libraries are imported inside the
functions that need them.
"""
