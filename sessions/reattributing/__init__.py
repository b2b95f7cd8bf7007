"""Requests that another group pays for a session: asked, answered, booked once."""
