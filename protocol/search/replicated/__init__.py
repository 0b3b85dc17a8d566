"""The replicated protocol: private 1:N search by three servers, any one of which may be corrupt.

Server 0 is the model provider (it knows the probe embedding q), server 1 the gallery holder,
server 2 the auxiliary server. The client shares every row, G = G0 + H1, between servers 0 (a seed)
and 1; with s from a seed of theirs, server 1 passes H2 = H1 - s on to server 2. Then

    G = G0 + H1 = K + H2   with K = G0 + s:   server 0: G0 and K,   server 1: H1,   server 2: H2.

This is replicated sharing, G = x0 + x1 + x2, regrouped: x0 = G0, x1 = s and x2 = H2; server 0 knows
x0 and x1, server 1 knows x1 and x2, server 2 knows x2 (and x0 only while rows are checked). The
regrouping lets servers 1 and 2 keep one matrix each instead of two.

Per probe, with q = q0 + q1 and q1 expanded from the seed of servers 0 and 1:

    G q = K q0 + H2 q0 + G0 q1 + H1 q1   (servers 0, 2, 0, 1).

The terms in q1 are computed ahead of time, so a search costs one product at server 0 and one at
server 2. Server 0 sends q0 and its term, less a mask that server 1 has, to server 2; then servers 1
and 2 hold G q in two shares and evaluate the answer, with masks from the seeds of server 0, which
knows every mask and sees nothing that they hide.

Trust: semi-honest, at most one of the three servers corrupt. Source: decision record 0017.
"""
