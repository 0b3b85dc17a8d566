"""What noise costs a network trained for it, mechanism by mechanism, at equal budgets."""
