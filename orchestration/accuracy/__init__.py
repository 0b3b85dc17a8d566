"""Accuracy outside a run: embeddings of whole data sets, and the trials they are judged by."""
