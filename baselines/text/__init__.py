"""Text encoders that are fine-tuned to a task: LLM-Prop, MatBERT, and any encoder of transformers."""
