"""The lab: two container hosts joined by two veth rails, so that every stage can run for real without two Sparks."""
