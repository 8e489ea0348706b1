"""Proofs and the jobs that make them: their shape, whether they hold, what a gate says."""
