"""Traffic that the project makes itself."""
