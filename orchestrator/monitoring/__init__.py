"""Looking at providers while nobody asks them."""
