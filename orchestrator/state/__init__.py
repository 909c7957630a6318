"""Old paths, which go with the next release."""
