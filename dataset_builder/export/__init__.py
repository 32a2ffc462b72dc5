"""Steps from raw files to clean tables to a dataset folder."""
