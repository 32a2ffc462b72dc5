"""The catalogue: sources, properties and tasks, declared as YAML and validated by pydantic."""
