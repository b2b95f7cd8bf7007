"""Comparing the records with what hubs say when they are asked."""
