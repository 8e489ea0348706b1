"""RDMA: plans of measurements, readers of perftest and NCCL, verdicts."""
