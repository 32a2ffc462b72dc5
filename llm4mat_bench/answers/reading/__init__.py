"""Reading what a model answered: numbers, units, names, JSON and classes in free text. No model is needed."""
