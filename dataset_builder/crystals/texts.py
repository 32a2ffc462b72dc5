"""From the bytes of a file to the text of one crystal: encodings, and the data blocks of a CIF."""

import codecs
import re
from typing import NamedTuple

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_BLOCK = re.compile(r"[ \t]*(?:data_(\S*)|global_(?=\s|$))", re.IGNORECASE)
_ATOMS = re.compile(r"^[ \t]*_atom_site[_.](?:fract|cartn)_[xyz]\b", re.IGNORECASE | re.MULTILINE)
_STRAY_LOOP = re.compile(r"^[ \t]*_loop[ \t]*\n(?=\s*(loop_|data_|_|\Z)?)", re.IGNORECASE | re.MULTILINE)


class Block(NamedTuple):
    """One data block of a CIF: its name, and its text with the header."""

    name: str
    text: str

    @property
    def holds_atoms(self) -> bool:
        """Whether it lists atoms; journal data, powder patterns and the like do not."""
        return _ATOMS.search(self.text) is not None


def decode_text(data: bytes) -> str:
    """Text of a file: UTF-8, or what a byte order mark says; what is no UTF-8 becomes U+FFFD (CIF itself is ASCII)."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    return data.decode("utf-8", "replace")


def tidy(text: str) -> str:
    """Unify line ends, and take off a byte order mark before and Ctrl-Z or NUL behind the text."""
    return text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n").rstrip("\0\x1a \t\n") + "\n"


def cif_blocks(text: str) -> list[Block]:
    """Cut a CIF into its data blocks; ``data_`` inside a text field does not begin one.

    Args:
        text: Tidy text (`tidy`).
    """
    blocks: list[tuple[str, list[str]]] = []
    inside = False
    for line in text.split("\n"):
        if line.startswith(";"):
            inside = not inside
        elif not inside and (match := _BLOCK.match(line)):
            blocks.append((match.group(1) or "", []))
        if blocks:
            blocks[-1][1].append(line)
    names: dict[str, int] = {}
    found = []
    for name, lines in blocks:
        names[name] = names.get(name, 0) + 1
        unique = name if names[name] == 1 else f"{name}#{names[name]}"
        found.append(Block(unique, "\n".join(lines) + "\n"))
    return found


def crystal_blocks(text: str) -> list[Block]:
    """The data blocks that hold atoms.

    Args:
        text: The text of a CIF.
    """
    return [block for block in cif_blocks(tidy(text)) if block.holds_atoms]


def mend_loops(text: str) -> str:
    """Read ``_loop`` (Materials Studio) as ``loop_``, or leave it out where another word begins at once."""

    def mended(match: re.Match[str]) -> str:
        following = (match.group(1) or "").casefold()
        return "loop_\n" if following == "_" else "\n"

    return _STRAY_LOOP.sub(mended, text)
