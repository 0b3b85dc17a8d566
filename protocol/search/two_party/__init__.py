"""Secure computation between two evaluators with single-use material from a third party.

One module per step: `compare`, `inject`, `select`, `conjoin`, `square`. Each says what material the
step needs, what it costs and what an evaluator does. `outputs` puts steps together into answers.
"""
