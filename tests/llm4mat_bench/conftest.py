"""Fixtures of the front door's tests."""

from hub_double import hub  # noqa: F401 - a fixture
