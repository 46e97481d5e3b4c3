"""What would change: the price of a clause, what would have to give way, what an edit does to a whole fleet."""
