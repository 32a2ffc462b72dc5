"""What is shown of work that goes on."""

import io
import re

import pytest
from rich.console import Console

from llm4mat_bench.cli import progress as display
from llm4mat_bench.cli.progress import BARS_SHOWN, amount, show_progress
from llm4mat_bench.progress import advance_of, silent


def _terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=150, color_system=None)


def _seen(console: Console) -> str:
    """Give all that was ever drawn, without the codes that move the cursor."""
    assert isinstance(console.file, io.StringIO)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue())


@pytest.fixture
def drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display, "REDRAW_SECONDS", 0.0)


def test_steps_within_steps_are_shown_together(drawn_at_once: None) -> None:
    console = _terminal()
    with show_progress(console=console) as progress:
        progress("runs", 1, 3)
        progress("trees [of 1]", 20, 2_000)
        bars = progress._bars  # type: ignore[attr-defined]
        bars.refresh()
        text = _seen(console)
        assert "1 of 3" in text
        assert "trees [of 1]" in text
        assert "20 of 2,000" in text
        progress("trees [of 1]", 2_000, 2_000)
        assert [task.description for task in bars.tasks] == ["runs"]
        progress("trees [of 1]", 10, 2_000)  # the next run has trees as well
        assert [task.completed for task in bars.tasks] == [1, 10]
        progress("runs", 3, 3)
        progress("trees [of 1]", 2_000, 2_000)
        assert not bars.tasks


def test_steps_without_an_end_make_room(drawn_at_once: None) -> None:
    with show_progress(console=_terminal()) as progress:
        bars = progress._bars  # type: ignore[attr-defined]
        progress("reading", 500, 0)
        assert bars.tasks[0].total is None
        progress("describing", 1, 9)
        assert [task.description for task in bars.tasks] == ["describing"]
        for number in range(BARS_SHOWN):
            progress(f"left unfinished {number}", 1, 9)
        assert len(bars.tasks) == BARS_SHOWN
        assert "describing" not in [task.description for task in bars.tasks]
        progress("describing", 2, 9)  # still at work: back again
        assert "describing" in [task.description for task in bars.tasks]
        assert len(bars.tasks) == BARS_SHOWN


def test_a_million_reports_cost_little() -> None:
    """Reports are not drawn one by one: a loop over rows may report each."""
    with show_progress(console=_terminal()) as progress:
        updates = 0
        bars = progress._bars  # type: ignore[attr-defined]
        update = bars.update

        def counted(*arguments: object, **named: object) -> None:
            nonlocal updates
            updates += 1
            update(*arguments, **named)

        bars.update = counted
        for number in range(1, 100_001):
            progress("rows", number, 100_000)
        assert updates < 1_000
        assert not bars.tasks


def test_a_log_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(display.time, "monotonic", lambda: now)
    console = Console(file=io.StringIO(), width=20)
    with show_progress(console=console) as progress:
        for second in range(100):
            now = 1000.0 + second
            progress("describing", 50 + 2 * second, 3_000)
    assert _seen(console) == "describing: 170 of 3,000, 2 a second, 24 min left\n"


def test_the_same_step_of_the_next_run_has_a_rate_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(display.time, "monotonic", lambda: now)
    console = Console(file=io.StringIO(), width=20)
    with show_progress(console=console) as progress:
        for second in range(50):  # seed 0
            now = 1000.0 + second
            progress("training", 1 + second, 50)
        for second in range(500, 565):  # after much else, seed 1
            now = 1000.0 + second
            progress("training", 1 + 2 * (second - 500), 200)
    assert _seen(console) == "training: 1 of 200\ntraining: 121 of 200, 2 a second, 1 min left\n"


def test_what_stands_in_brackets_changes_and_rate_and_time_left_go_on(
    monkeypatch: pytest.MonkeyPatch, drawn_at_once: None
) -> None:
    """A training tells its loss: it is one step all the same."""
    with show_progress(console=_terminal()) as progress:
        bars = progress._bars  # type: ignore[attr-defined]
        for step in range(1, 6):
            progress(f"training (epoch {step}, loss {1 / step:.3f})", step, 9)
        assert [(task.description, task.completed) for task in bars.tasks] == [("training (epoch 5, loss 0.200)", 5)]
    now = 1000.0
    monkeypatch.setattr(display.time, "monotonic", lambda: now)
    console = Console(file=io.StringIO(), width=20)
    with show_progress(console=console) as progress:
        for second in range(100):
            now = 1000.0 + second
            progress(f"training (epoch {second // 50 + 1}, loss {1 / (second + 1):.3f})", 50 + 2 * second, 3_000)
    assert _seen(console) == "training (epoch 2, loss 0.016): 170 of 3,000, 2 a second, 24 min left\n"


def test_short_work_says_nothing_in_a_log() -> None:
    console = Console(file=io.StringIO())
    with show_progress(console=console) as progress:
        progress("rows", 1, 2)
        progress("rows", 2, 2)
    assert _seen(console) == ""


def test_quiet_says_nothing_at_all() -> None:
    console = _terminal()
    with show_progress(quiet=True, console=console) as progress:
        progress("rows", 1, 2)
    assert _seen(console) == ""


@pytest.mark.parametrize(
    ("done", "total", "speed", "said"),
    [
        (1_234, 5_000, None, "1,234 of 5,000"),
        (1_234, 5_000, 12.6, "1,234 of 5,000, 13 a second"),
        (3, 0, 0.25, "3, 0.25 a second"),
        (3 << 30, 4 << 30, 1e8, "75 %"),
    ],
)
def test_amounts(done: int, total: int, speed: float | None, said: str) -> None:
    assert amount(done, total, speed) == said


def test_advance_sums_up() -> None:
    told: list[tuple[str, int, int]] = []
    advance = advance_of("rows", 10, lambda *report: told.append(report))
    advance(3)
    advance(7)
    assert told == [("rows", 3, 10), ("rows", 10, 10)]
    assert silent("rows", 3, 10) is None
