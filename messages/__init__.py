"""The language of the house: data only, it imports nothing of ours."""
