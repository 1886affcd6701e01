"""What reproduces the paper's tables and measures the project against its peers."""
