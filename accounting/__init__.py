"""What is published: roll-ups, exports, charts and dashboards."""
