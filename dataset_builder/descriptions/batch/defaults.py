"""Defaults of a run of many, in a module that imports nothing heavy: the command line shows them in its help."""

DEFAULT_TIMEOUT = 300.0
DEFAULT_MEMORY_MB = 2048
DESCRIBER = "llm4mat_bench.dataset_builder.descriptions:describe_and_condense"
