"""What the gateway computes."""
