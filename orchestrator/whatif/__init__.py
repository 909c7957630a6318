"""What another configuration would have done with recorded traffic: replayed, compared, and what it rests on."""
