"""The prompting room: templates, engines and answer parsing."""
