"""What a trained adversary sees in protected inputs, beside what linear algebra sees."""
