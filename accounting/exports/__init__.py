"""One file per receiver of exported usage."""
