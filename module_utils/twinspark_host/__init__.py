"""The shared code that touches a host: files, sockets, the kernel. Decisions are in `twinspark`."""
