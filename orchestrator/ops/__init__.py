"""Price lists for operators: refresh the live list, show every price, compare it with other sources."""
