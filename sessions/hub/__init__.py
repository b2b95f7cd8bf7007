"""Everything about the hub API: signing, events, launches."""
