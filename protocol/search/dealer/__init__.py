"""The fixed-gallery dealer protocol: private 1:N search by two servers with a dealer's material.

Server 0 is the model provider (it knows the probe embedding q), server 1 the gallery holder.
Per row, once: D = G - A is opened to server 0, which keeps M0 = A0 + D; server 1 keeps M1 = A1.
Per probe: the dealer's material hides a fresh b; server 0 sends e = q - b and both compute
z_i = M_i e + w_i with w0 = c0 + D b, w1 = c1, c = A b. Then z0 + z1 = G q exactly, modulo 2^k.

Trust: semi-honest; no two of {server 0, server 1, dealer} collude. Source: docs/decisions.
"""
