"""One script a peer, run by that peer's own interpreter. They import the standard library, their peer, and nothing of questd."""
