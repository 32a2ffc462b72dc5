"""LLM4Mat-Bench: how well does a language model predict the properties of crystals?"""
