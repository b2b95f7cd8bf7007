"""What is kept about people and for how long, what they can take along, and how a person goes."""
