"""The fixed-gallery dealer protocol: private 1:N search by two servers with a dealer's material.

Server 0 is the model provider (it knows the probe embedding q), server 1 the gallery holder.
Per row, once: server 0 is opened M = G - A, and keeps it; server 1 keeps the mask A, which the
dealer knows too. Per probe: the dealer's material hides a fresh b, and shares c0 + c1 = A b;
server 0 sends e = q - b. Because server 0 knows q itself, no product with a mask is left to it:

    z0 = M q + c0   at server 0,      z1 = A e + c1   at server 1,      z0 + z1 = G q modulo 2^k.

Server 0 has c0, which is uniform, and nothing of A b; server 1 has A, e and c1, all uniform.

Trust: semi-honest; no two of {server 0, server 1, dealer} collude. Source: docs/decisions.
"""
