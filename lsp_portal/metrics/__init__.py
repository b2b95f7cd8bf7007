"""Numbers for Prometheus, read from the database at each scrape, alike in every process."""
