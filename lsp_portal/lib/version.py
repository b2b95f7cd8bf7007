"""The portal's version, shown in the footer of every page."""

VERSION = "0.1.0"
