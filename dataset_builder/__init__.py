"""The data room: catalogue, readers, cleaning, splits, descriptions, export and the embedded sample."""
