"""What each style changes in the text, and that it changes nothing else."""

from __future__ import annotations

import pytest

from llm4mat_bench.dataset_builder.descriptions.style import publish, settle, styled


@pytest.mark.parametrize(
    ("printed", "published"),
    [
        ("The Na(1)-O(2) bond length is 2.39 Å.", "The Na(1)–O(2) bond length is 2.39 Å."),
        ("Both Fe(1,2)-O(6,6) bond lengths are 1.98 Å.", "Both Fe(1,2)–O(6,6) bond lengths are 1.98 Å."),
        (
            "There are a spread of K(1)-S(1,3) bond distances ranging from 3.30-3.97 Å.",
            "There are a spread of K(1)–S(1,3) bond distances ranging from 3.30–3.97 Å.",
        ),
        (
            "The corner-sharing octahedral tilt angles range from 47-58°.",
            "The corner-sharing octahedral tilt angles range from 47–58°.",
        ),
        (
            "two sheets oriented in the (np.int64(0), np.int64(-1), np.int64(1)) direction",
            "two sheets oriented in the (0, -1, 1) direction",
        ),
        (
            "to form a mixture of corner and edge-sharing LiO6 octahedra",
            "to form a mixture of edge and corner-sharing LiO6 octahedra",
        ),
        (
            "to form a mixture of distorted corner, face, and edge-sharing LiO6 octahedra",
            "to form a mixture of distorted face, edge, and corner-sharing LiO6 octahedra",
        ),
        (
            "oriented in the (1, 0, 0) and (0, 0, 1) directions",
            "oriented in the (0, 0, 1) and (1, 0, 0) directions",
        ),
        (
            "MoS2 is Molybdenite structured; two-dimensional, edge-sharing, P-1, P-3m1, Zincblende-like, 12-coordinate",
            "MoS2 is Molybdenite structured; two-dimensional, edge-sharing, P-1, P-3m1, Zincblende-like, 12-coordinate",
        ),
    ],
)
def test_published(printed: str, published: str) -> None:
    assert styled(printed, "published") == published
    assert styled(published, "published") == published
    assert publish(settle(printed)) == published


def test_upstream_only_settles_the_order() -> None:
    text = "a mixture of corner and edge-sharing; Na(1)-O(2) bond; (np.int64(0), np.int64(0), np.int64(1))"
    expected = "a mixture of edge and corner-sharing; Na(1)-O(2) bond; (np.int64(0), np.int64(0), np.int64(1))"
    assert styled(text, "upstream") == expected
    two = (
        "oriented in the (np.int64(1), np.int64(0), np.int64(0)) and (np.int64(0), np.int64(0), np.int64(1)) directions"
    )
    assert settle(two).index("int64(0), np.int64(0), np.int64(1)") < settle(two).index(
        "np.int64(1), np.int64(0), np.int64(0)"
    )


def test_unknown() -> None:
    with pytest.raises(ValueError, match="upstream"):
        styled("text", "baroque")
