"""The rails: what the files and the kernel say, what shall be, the dead-man's switch, the verdicts."""
