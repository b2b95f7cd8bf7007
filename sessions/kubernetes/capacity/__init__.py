"""What room the nodes of the cluster have, and who is on them."""
