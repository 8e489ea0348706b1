"""Scores and throughput: plans, readers of logs, statistics."""
