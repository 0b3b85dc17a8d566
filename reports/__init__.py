"""What is read: metrics, tables, figures and the report of a run."""
