"""Plain oracle of RFC 6962 trees: the definitions of section 2.1 as recursions over lists, nothing remembered.

Written from the RFC's formulas; it shares no code with karat.
"""

from hashlib import sha256


def mth(data):
    """Merkle Tree Hash of the list of leaf inputs D (section 2.1)."""
    if len(data) == 0:
        return sha256().digest()
    if len(data) == 1:
        return sha256(b"\x00" + data[0]).digest()
    k = split(len(data))
    return sha256(b"\x01" + mth(data[:k]) + mth(data[k:])).digest()


def path(m, data):
    """Audit path PATH(m, D) (section 2.1.1)."""
    if len(data) == 1:
        return []
    k = split(len(data))
    if m < k:
        return [*path(m, data[:k]), mth(data[k:])]
    return [*path(m - k, data[k:]), mth(data[:k])]


def proof(m, data):
    """Consistency proof PROOF(m, D) (section 2.1.2)."""
    return subproof(m, data, True)


def subproof(m, data, complete):
    if m == len(data):
        return [] if complete else [mth(data)]
    k = split(len(data))
    if m <= k:
        return [*subproof(m, data[:k], complete), mth(data[k:])]
    return [*subproof(m - k, data[k:], False), mth(data[:k])]


def split(n):
    """Largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k
