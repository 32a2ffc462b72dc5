"""The findings of a run in plain words."""

from .findings import Findings

_REASONS = {
    "refused": "the model said that it gives none",
    "empty": "it wrote nothing",
    "no_number": "it wrote text without a value",
    "out_of_range": "the value is beyond what the definition allows",
    "wrong_unit": "the unit is one of another quantity",
    "truncated": "the answer was cut off before its value",
}
_MANY = 0.5
_SOME = 0.05
_FEW = 10
_LONGER = 1.5


def percent(share: float) -> str:
    """A share for reading: two digits where it is small, never 0 % or 100 % of what is not."""
    if share in (0.0, 1.0):
        return f"{100 * share:.0f} %"
    for digits in range(4):
        text = f"{100 * share:.{digits}f}"
        if 0 < float(text) < 100 and (digits or share >= 0.1):
            return f"{text} %"
    return "under 0.01 %" if share < _MANY else "over 99.99 %"


def plain_words(found: Findings) -> tuple[str, ...]:
    """What a reader should know first, the worst first."""
    said = [
        *_of_trust(found),
        *_of_repeats(found),
        *_of_reading(found),
        *_of_copies(found),
        *_of_range(found),
        *_of_controls(found),
        *_of_length(found),
    ]
    if not said:
        said.append(
            f"{percent(found.valid_share)} of the answers could be read, they have {found.different:,} different "
            "values, and nothing looks wrong with them as answers. Whether they are good is for the score to say."
        )
    return tuple(said)


def _of_trust(found: Findings) -> list[str]:
    if not found.faults:
        return []
    return [f"This run does not verify ({found.faults[0][:200]}): do not believe its score."]


def _of_reading(found: Findings) -> list[str]:
    said: list[str] = []
    if not found.asked:
        return ["No crystal was asked about."]
    if found.valid_share < 1 - _SOME:
        unread = [one for one in found.statuses if one.name in _REASONS]
        worst = max(unread, key=lambda one: one.count, default=None)
        reason = f"; mostly {_REASONS[worst.name]} ({percent(worst.share)} of all)" if worst is not None else ""
        said.append(
            f"{percent(1 - found.valid_share)} of {found.asked:,} answers have no value that could be read{reason}."
        )
    if 0 < found.valid < _FEW:
        said.append(f"Only {found.valid} answers have a value: under {_FEW}, too few for any score.")
    cut = next((one for one in found.statuses if one.name == "truncated"), None)
    if cut is not None and cut.share > _SOME:
        said.append(f"{percent(cut.share)} of the answers were cut off: ask again with more --max-tokens.")
    return said


def _of_repeats(found: Findings) -> list[str]:
    if not found.common or found.valid < _FEW:
        return []
    first = found.common[0]
    unit = f" {found.unit}" if found.unit else ""
    if found.kind == "classification":
        if first.share > 1 - _SOME:
            return [
                f"This model said {first.answer} for {percent(first.share)} of the crystals; it is true of "
                f"{percent(first.true_share)}. It has hardly told them apart."
            ]
        return []
    if first.share >= _MANY:
        return [
            f"This model gave {first.answer}{unit} for {percent(first.share)} of the crystals: it has not read them. "
            f"{percent(first.true_share)} of them have that value."
        ]
    top = found.common[:5]
    share = sum(one.share for one in top)
    if share >= _MANY and found.different > len(top):
        values = ", ".join(one.answer for one in top)
        return [f"Five values ({values}) are {percent(share)} of all answers: the model falls back on favourites."]
    if share >= _MANY:
        return [f"All answers are one of {found.different} values: the model hardly tells crystals apart."]
    return []


def _of_copies(found: Findings) -> list[str]:
    copies = found.copies
    if copies is None or copies.share < max(_SOME, 2 * copies.by_chance) or found.kind == "classification":
        return []
    return [
        f"{percent(copies.share)} of the answers repeat the value of a shot; of the true values "
        f"{percent(copies.by_chance)} would. The model copies from its examples."
    ]


def _of_range(found: Findings) -> list[str]:
    outside = found.outside
    if outside is None or outside.share <= 0.01:
        return []
    unit = f" {found.unit}" if found.unit else ""
    return [
        f"{percent(outside.share)} of the answers lie outside everything in the training data ({outside.low:.4g} to "
        f"{outside.high:.4g}{unit}): {outside.below:,} below, {outside.above:,} above."
    ]


def _of_controls(found: Findings) -> list[str]:
    said = []
    nothing = 1.0 if found.kind == "regression" else 0.5
    for one in found.comparisons:
        if one.own is None or one.other is None:
            continue
        name = found.headline_name
        low = one.own_interval[0] if one.own_interval is not None else None
        gained = one.own - one.other
        survives = low is not None and one.other >= low
        if one.control == "shuffled":
            if low is None or low <= nothing:
                said.append(
                    f"With another crystal's text the {name} is {one.other:.3f}, with its own {one.own:.3f}, which is "
                    f"no more than knowing nothing would give ({nothing:g})."
                )
            else:
                said.append(
                    f"With another crystal's text the {name} is {one.other:.3f}, with its own {one.own:.3f}: "
                    + (
                        "the score survives, so it was not earned by reading."
                        if survives
                        else f"{gained:.3f} of it was earned by reading."
                    )
                )
        elif one.control == "sentences":
            said.append(
                f"With the sentences of the description in another order the {name} is {one.other:.3f} "
                f"({one.own:.3f} in their own)" + _same(one.same_answers)
            )
        elif one.control == "unit":
            said.append(
                f"Asked for in another unit, and converted back, the {name} is {one.other:.3f} ({one.own:.3f} in the "
                "usual one)" + _same(one.same_answers)
            )
    return said


def _same(share: float | None) -> str:
    return "." if share is None else f"; {percent(share)} of the crystals got the same answer."


def _of_length(found: Findings) -> list[str]:
    said = []
    if len(found.tokens) > 1:
        first, last = found.tokens[0], found.tokens[-1]
        shares = first.valid / first.rows, last.valid / last.rows
        # Some tokens more, or a handful of answers, say nothing of length.
        if shares[0] - shares[1] > 0.1 and last.low >= _LONGER * first.high and min(first.rows, last.rows) >= _FEW:
            said.append(
                f"Long prompts are answered worse: {percent(shares[0])} of those with {first.low:,} to {first.high:,} "
                f"tokens have a value, {percent(shares[1])} of those with {last.low:,} to {last.high:,}."
            )
    if found.facts.get("questions_cut"):
        said.append(f"{found.facts['questions_cut']:,} crystals' texts were cut to fit into the model's context.")
    if found.facts.get("shots_dropped"):
        said.append(f"{found.facts['shots_dropped']:,} shots were left out for want of room.")
    return said
