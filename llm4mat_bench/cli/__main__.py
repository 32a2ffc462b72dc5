"""``python -m llm4mat_bench.cli``: the program, where its script is not on the path."""

from .app import main

main()
