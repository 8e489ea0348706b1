"""Pure decisions of twinspark: parsers, plans, verdicts. Shared by the Ansible modules and the wrapper."""
