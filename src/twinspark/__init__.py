"""twinspark: two NVIDIA DGX Sparks, from cabled boxes to a proved vLLM service."""

__version__ = "0.1.0"
