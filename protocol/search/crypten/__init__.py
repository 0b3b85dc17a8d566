"""CrypTen 0.4.1 as a search protocol: an independent implementation, a baseline and an oracle.

Its secret sharing, products, comparison, argmax and both its providers compute; its transport,
its pickles and its process-wide state are replaced. It is not protection: generators are Mersenne
Twisters with 64-bit seeds that never draw the top ring element, and the default provider tells
party 0 every triple.
"""
