"""The weights: manifests, the Hub's cache, what is missing and whether it fits."""
