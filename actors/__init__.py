"""The people of the house: the actors, each with its pure core."""
