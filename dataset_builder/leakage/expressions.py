"""The expressions that are searched: a constant times a product, quotient or sum of at most three numbers."""

from collections.abc import Iterator, Sequence
from itertools import combinations, combinations_with_replacement
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Form = Literal["copy", "product", "sum"]


class Expression(NamedTuple):
    """A form over columns of a feature table.

    ``copy``: the number itself. ``product``: constant · Π xᵢ^pᵢ. ``sum``: constant · Σ pᵢ xᵢ. ``powers`` are the pᵢ.
    """

    form: Form
    columns: tuple[int, ...]
    powers: tuple[int, ...]

    def evaluate(self, values: Floats) -> Floats:
        """Evaluate without the constant: (rows, features) to (rows,); NaN or infinite where a number is missing."""
        if self.form == "sum":
            return np.asarray((values[:, self.columns] * np.array(self.powers, dtype=np.float64)).sum(axis=1))
        result = np.ones(len(values))
        with np.errstate(all="ignore"):
            for column, power in zip(self.columns, self.powers, strict=True):
                result = result * values[:, column] ** power
        return result

    def write(self, names: Sequence[str], constant: float | None) -> str:
        """Write the expression for people."""
        if self.form == "sum":
            terms = "".join(
                f" {'+' if power > 0 else '-'} {names[column]}"
                for column, power in zip(self.columns, self.powers, strict=True)
            )
            body = terms.removeprefix(" + ").strip()
        else:
            over = [names[column] for column, power in self._factors() if power > 0]
            under = [names[column] for column, power in self._factors() if power < 0]
            body = " · ".join(over) or "1"
            if under:
                body += " / " + (under[0] if len(under) == 1 else f"({' · '.join(under)})")
        if constant is None or abs(constant - 1) < 1e-9:
            return body
        return f"{constant:.6g} · " + (f"({body})" if self.form == "sum" and len(self.columns) > 1 else body)

    def _factors(self) -> Iterator[tuple[int, int]]:
        for column, power in zip(self.columns, self.powers, strict=True):
            for _ in range(abs(power)):
                yield column, 1 if power > 0 else -1


def products(count: int, factors: int) -> Iterator[tuple[tuple[int, ...], tuple[NDArray[np.int64], ...]]]:
    """Enumerate all products of that many factors over ``count`` numbers, by the signs of their powers.

    Yields:
        The powers (one for each factor, +1 or -1) and the columns of each factor as index arrays.
    """
    if factors == 1:
        every = np.arange(count)
        yield (1,), (every,)
        yield (-1,), (every,)
        return
    pairs = np.array(list(combinations_with_replacement(range(count), 2)), dtype=np.int64).reshape(-1, 2)
    if factors == 2:
        yield (1, 1), (pairs[:, 0], pairs[:, 1])
        first, second = np.divmod(np.arange(count * count), count)
        apart = first != second
        yield (1, -1), (first[apart], second[apart])
        return
    triples = np.array(list(combinations_with_replacement(range(count), 3)), dtype=np.int64).reshape(-1, 3)
    yield (1, 1, 1), (triples[:, 0], triples[:, 1], triples[:, 2])
    index, single = np.divmod(np.arange(len(pairs) * count), count)
    apart = (pairs[index, 0] != single) & (pairs[index, 1] != single)
    columns = (pairs[index[apart], 0], pairs[index[apart], 1], single[apart])
    yield (1, 1, -1), columns
    yield (-1, -1, 1), columns


def sums(count: int, terms: int) -> Iterator[tuple[tuple[int, ...], tuple[NDArray[np.int64], ...]]]:
    """Enumerate all sums and differences of that many terms, up to the sign of the whole; as `products` does."""
    chosen = np.array(list(combinations(range(count), terms)), dtype=np.int64).reshape(-1, terms)
    columns = tuple(chosen[:, place] for place in range(terms))
    for mask in range(2 ** (terms - 1)):
        yield (1, *(-1 if mask >> place & 1 else 1 for place in range(terms - 1))), columns


def simplify(form: Form, columns: Sequence[int], powers: Sequence[int]) -> Expression:
    """Join equal factors of a product: x · x becomes x²."""
    joined: dict[int, int] = {}
    for column, power in zip(columns, powers, strict=True):
        joined[int(column)] = joined.get(int(column), 0) + int(power)
    return Expression(form, tuple(joined), tuple(joined.values()))
