"""What another configuration would have done with recorded traffic: replayed and compared."""
