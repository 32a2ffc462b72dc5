"""CIFs read with checks against pymatgen's CifParser alone: the same structures, and how long it takes.

python benchmarks/cif_reading.py            # the embedded sample
python benchmarks/cif_reading.py --texts    # does a description change when a structure goes through a CIF? (minutes)
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import pyarrow.parquet as pq
from pymatgen.core import Structure
from pymatgen.io.cif import CifParser, CifWriter

from llm4mat_bench.dataset_builder.crystals.reading import read_crystal

ROOT = Path(__file__).resolve().parent.parent
SPLITS = ("train", "validation", "test")


def same(one: Structure, other: Structure) -> bool:
    """Whether two structures are the same to the last bit and in the same order."""
    return bool(
        (one.lattice.matrix == other.lattice.matrix).all()
        and one.species == other.species
        and one.labels == other.labels
        and (one.frac_coords == other.frac_coords).all()
    )


def compare_sample(limit: int | None) -> None:
    """Read every CIF of the sample both ways."""
    tables = [pq.read_table(ROOT / "dataset_builder" / "sample" / f"{split}.parquet") for split in SPLITS]
    cifs = [cif for table in tables for cif in table["cif"].to_pylist()][:limit]
    theirs_seconds = ours_seconds = 0.0
    equal = 0
    for cif in cifs:
        begun = time.process_time()
        theirs = CifParser.from_str(cif, check_cif=False).parse_structures(primitive=False, on_error="raise")[0]
        middle = time.process_time()
        ours = read_crystal(cif)
        ours_seconds += time.process_time() - middle
        theirs_seconds += middle - begun
        equal += not ours.remarks and same(ours.structure, theirs)
    print(f"{equal:,} of {len(cifs):,} structures the same to the last bit")
    print(f"CifParser {theirs_seconds:.1f} s, with gemmi and the checks {ours_seconds:.1f} s of processor time")


def compare_texts(most_sites: int) -> None:
    """Describe the structures of the corpus, and again after a CIF."""
    from llm4mat_bench.dataset_builder.descriptions import describe

    corpus = pq.read_table(ROOT / "tests" / "data" / "description_corpus.parquet")
    counts: dict[str, list[int]] = {}
    for row in corpus.to_pylist():
        if row["text"] is None or row["sites"] > most_sites:
            continue
        structure = Structure.from_dict(json.loads(row["structure"]))
        again = read_crystal(str(CifWriter(structure))).structure
        differs = describe(structure) != describe(again)
        count = counts.setdefault(row["category"], [0, 0])
        count[0] += differs
        count[1] += 1
        if differs:
            print(f"differs: {row['name']} ({row['category']})")
    for category, (differing, total) in sorted(counts.items()):
        print(f"{differing:4} of {total:4} {category}")
    print(f"{sum(c[0] for c in counts.values()):4} of {sum(c[1] for c in counts.values()):4} texts differ")


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", action="store_true", help="compare descriptions")
    parser.add_argument("--limit", type=int, help="so many CIFs only")
    parser.add_argument("--most-sites", type=int, default=120, help="leave larger cells out")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.texts:
        compare_texts(options.most_sites)
    else:
        compare_sample(options.limit)


if __name__ == "__main__":
    main()
