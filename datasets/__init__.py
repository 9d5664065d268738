"""From files of features to NumPy batches. No neural network and no experiment here."""
