"""Every number we claim, with the command that makes it: `make bench`."""
