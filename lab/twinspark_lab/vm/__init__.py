"""VM hosts: a kernel of their own, so that RDMA is real (Soft-RoCE). Slow without KVM, and so optional."""
