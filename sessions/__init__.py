"""What was measured: hubs, events, session records, charges and storage samples."""
