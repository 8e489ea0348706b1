"""What the owner wrote, and what the hosts are: settings, ranks and addresses, findings before anything changes."""
