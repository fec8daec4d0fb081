"""The phases of training, their callbacks, and exact resumption."""
