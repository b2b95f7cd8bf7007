"""Proof from scratch that everything published follows from what hubs reported."""
