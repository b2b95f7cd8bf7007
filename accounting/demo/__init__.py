"""An invented platform with six months of history, for trying the portal and for tests."""
