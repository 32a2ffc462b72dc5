"""What a model knows by heart: asked for a crystal's id from its text, and for the text's continuation."""
