"""Video classification networks on frame features, as Gluon HybridBlocks; `zoo` makes them by name."""
