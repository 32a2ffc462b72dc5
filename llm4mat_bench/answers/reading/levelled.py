"""Text made plain without moving a character, so that positions stay those of the raw answer."""

_SAME = {
    "-": "−﹣－‐‑‒–—―",
    " ": "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000\u200b\u2060\ufeff",
    "'": "‘’‛′＇",
    '"': "“”„‟″＂",
    "~": "∼〜～˜",
    "/": "⁄∕／",
    "µ": "μ",
    "Å": "Å",
    ":": "：",
    ",": "，",
    "=": "＝",
    "{": "｛",
    "}": "｝",
    ".": "．٫",
    "+": "＋",
    "%": "％",
    **{str(digit): chr(0xFF10 + digit) for digit in range(10)},  # full-width, as Chinese and Japanese texts have them
    "I": "İ",  # the one letter whose lower case has two characters
}
_REPLACED = tuple((old, new) for new, olds in _SAME.items() for old in olds)


def level(text: str) -> str:
    """Give dashes, blanks, quotes and the like one spelling each; the length stays the same."""
    text = text.replace("\r", "\n") if "\r" in text else text
    if text.isascii():
        return text
    for old, new in _REPLACED:
        text = text.replace(old, new)
    return text


def shadow(levelled: str) -> str:
    """Lower case with blanks for underscores and hyphens: where names are looked for. The length stays the same."""
    lowered = levelled.lower().replace("_", " ").replace("-", " ")
    return lowered if lowered.isascii() else lowered.replace("₂", "2").replace("₃", "3")


def blank(text: str, spans: list[tuple[int, int]]) -> str:
    """Replace spans (sorted, apart) by blanks of the same length."""
    if not spans:
        return text
    pieces = []
    position = 0
    for start, end in spans:
        if end <= position:
            continue
        begin = max(start, position)
        pieces += [text[position:begin], " " * (end - begin)]
        position = end
    pieces.append(text[position:])
    return "".join(pieces)
