"""The embedded sample: real Materials Project crystals that travel with the package."""
