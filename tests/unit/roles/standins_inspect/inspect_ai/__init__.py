"""A stand-in: the real Inspect is in the lab's scenarios."""
