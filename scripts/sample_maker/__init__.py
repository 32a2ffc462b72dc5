"""Steps that make the embedded sample from the matminer 0.3.9 sdist; ``scripts/make_sample.py`` runs them."""
