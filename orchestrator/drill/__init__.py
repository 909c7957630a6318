"""The drill: break every level of a configuration, and look at what a caller would have got."""
