"""What another quota or cap would have done to the past months, from the real charges."""
