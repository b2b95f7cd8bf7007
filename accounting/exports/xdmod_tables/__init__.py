"""What Open XDMoD has to know besides jobs: names, the hierarchy of groups, and the resource."""
