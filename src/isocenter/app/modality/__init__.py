"""The simulated modality at work: the life of an order against real peers, the scripts of the walk-through, files."""
