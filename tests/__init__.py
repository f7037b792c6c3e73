"""What is promised, checked: each folder mirrors the part of the tree that it tests."""
