"""What is run by those who work on the house."""
