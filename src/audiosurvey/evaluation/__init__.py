"""From logits to results: metrics, the protocol of folds, run folders."""
