"""The benchmark's questions for other harnesses: lm-evaluation-harness, lighteval, Inspect."""
