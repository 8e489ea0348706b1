"""The image: its sources, its build, the same ID on every host."""
