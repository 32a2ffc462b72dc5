"""Names in a dataset folder; writing itself is in ``llm4mat_bench.files``."""


def shard_name(split: str, index: int, count: int) -> str:
    """Name of one Parquet shard, as the Hub's tools name them."""
    return f"{split}-{index:05d}-of-{count:05d}.parquet"
