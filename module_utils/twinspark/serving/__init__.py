"""The engine: its argv and units, what its log says, the canary."""
