"""From files of features to NumPy batches. NumPy and h5py only: no network code, no experiment."""
