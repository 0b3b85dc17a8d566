"""The replicated protocol: private 1:N search by three servers, any one of which may be corrupt.

Server 0 is the model provider (it knows the probe embedding q), server 1 the gallery holder,
server 2 the auxiliary server. The client shares every row, G = G0 + H1, between servers 0 (a seed)
and 1. With s from a seed of theirs, server 0 keeps K = G0 + s and server 1 keeps H = H1 - s, which
it passes on to server 2. Then

    G = K + H:   server 0 keeps K,   servers 1 and 2 keep H.

s makes H uniform also to a server 2 that was sent G0, as it is while rows are checked.

Per probe, with q = q0 + q1 and q1 expanded from the seed of servers 0 and 1:

    G q = K q + H q0 + H q1   (servers 0, 2, 1).

Server 0 knows q itself, so it needs one matrix and one product. The term in q1 is computed ahead of
time, so a search costs one product at server 0 and one at server 2. Server 0 sends q0 and its term,
less a mask that server 1 has, to server 2; then servers 1 and 2 hold G q in two shares and evaluate
the answer, with masks from the seeds of server 0, which knows every mask and sees nothing that they
hide.

Trust: semi-honest, at most one of the three servers corrupt. Source: decision record 0017.
"""
