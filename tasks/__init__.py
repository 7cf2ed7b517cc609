"""One package a task, all alike: the model, how it is scored, and how it predicts."""
