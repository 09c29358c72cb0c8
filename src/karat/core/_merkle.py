"""Merkle trees of RFC 6962: a root over all leaves, proofs that a leaf is in it and that an older tree is its prefix.

    symbol       meaning                                            type
    MTH(D)       root of the list of leaves D                       32 bytes
    leaf(d)      SHA-256(0x00 || d)                                  32 bytes
    node(l, r)   SHA-256(0x01 || l || r)                             32 bytes
    k            largest power of two smaller than n = len(D)        int
    PATH(m, D)   inclusion proof of leaf m (RFC 6962, 2.1.1)         list of 32 bytes
    PROOF(m, D)  consistency proof of the first m leaves (2.1.2)     list of 32 bytes

Invariants:
1. MTH([]) = SHA-256(""); MTH([d]) = leaf(d); MTH(D[0:n]) = node(MTH(D[0:k]), MTH(D[k:n])).
2. A `Frontier` holds the roots of the perfect subtrees of its leaves, one for each set bit of the size, and
   gives the same root as the recursion after every leaf.
3. A proof is accepted for the leaf, position, size and root it was made for and for no other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from karat._words import counted
from karat.core._errors import InputError

EMPTY_ROOT = hashlib.sha256(b"").digest()
_HEX = 64


def leaf_hash(data: bytes) -> bytes:
    """Return SHA-256(0x00 || data), the hash of a leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 || left || right), the hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a growing tree: enough to add leaves in O(1) amortised and give the root in O(log n)."""

    __slots__ = ("nodes", "size")

    def __init__(self, size: int = 0, nodes: Sequence[bytes] = ()) -> None:
        if len(nodes) != size.bit_count():
            allowed = f"{counted(size.bit_count(), 'subtree root')} of a tree of size {size}"
            raise InputError("nodes", len(nodes), allowed=allowed)
        self.size = size
        self.nodes = list(nodes)

    @classmethod
    def from_hex(cls, size: int, text: str) -> Frontier:
        """Return the frontier written by `hex`.

        Raises:
            InputError: text that is not hexadecimal or holds the wrong number of roots.
        """
        try:
            nodes = [bytes.fromhex(text[at : at + _HEX]) for at in range(0, len(text), _HEX)]
        except ValueError:
            raise InputError("frontier", text, allowed="hexadecimal digits, 64 for each subtree") from None
        return cls(size, nodes)

    def hex(self) -> str:
        """Return the subtree roots, largest first, as hexadecimal digits."""
        return b"".join(self.nodes).hex()

    def add(self, leaf: bytes) -> None:
        """Append one leaf hash."""
        node, size, nodes = leaf, self.size, self.nodes
        while size & 1:  # every trailing one bit is a perfect subtree that this leaf completes
            node = hashlib.sha256(b"\x01" + nodes.pop() + node).digest()
            size >>= 1
        nodes.append(node)
        self.size += 1

    def root(self) -> bytes:
        """Return the root of all leaves so far."""
        if not self.nodes:
            return EMPTY_ROOT
        root = self.nodes[-1]
        for node in reversed(self.nodes[:-1]):
            root = node_hash(node, root)
        return root

    def copy(self) -> Frontier:
        """Return an independent frontier of the same leaves."""
        return Frontier(self.size, self.nodes)


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes in order.

    Example:
        >>> merkle_root([]) == EMPTY_ROOT
        True
    """
    frontier = Frontier()
    for leaf in leaves:
        frontier.add(leaf)
    return frontier.root()


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the audit path of leaf `index`, lowest sibling first (RFC 6962, 2.1.1).

    Raises:
        InputError: an index outside the leaves.
    """
    if not 0 <= index < len(leaves):
        raise InputError("index", index, allowed=f"0 to {len(leaves) - 1}" if leaves else "nothing: the tree is empty")
    path: list[bytes] = []
    low, high = 0, len(leaves)
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(merkle_root(leaves[middle:high]))
            high = middle
        else:
            path.append(merkle_root(leaves[low:middle]))
            low = middle
    return path[::-1]


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> list[bytes]:
    """Return the proof that the tree of the first `old_size` leaves is a prefix of the tree (RFC 6962, 2.1.2).

    Raises:
        InputError: an old size below one or above the number of leaves.
    """
    if not 1 <= old_size <= len(leaves):
        raise InputError("old_size", old_size, allowed=f"1 to {len(leaves)}")
    path: list[bytes] = []
    low, high, whole = 0, len(leaves), True
    while old_size != high:
        middle = low + _split(high - low)
        if old_size <= middle:
            path.append(merkle_root(leaves[middle:high]))
            high = middle
        else:
            path.append(merkle_root(leaves[low:middle]))
            low, whole = middle, False
    if not whole:  # the verifier knows the old root itself, but not the root of a part of it
        path.append(merkle_root(leaves[low:high]))
    return path[::-1]


def verify_inclusion(leaf: tuple[int, bytes], tree: tuple[int, bytes], proof: Sequence[bytes]) -> bool:
    """Return whether `proof` shows that `leaf` (index, hash) is in `tree` (size, root) (RFC 9162, 2.1.3.2)."""
    (at, node), (size, root) = leaf, tree
    if not 0 <= at < size:
        return False
    last = size - 1
    for sibling in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            node = node_hash(sibling, node)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and node == root


def verify_consistency(old: tuple[int, bytes], new: tuple[int, bytes], proof: Sequence[bytes]) -> bool:
    """Return whether `proof` shows that tree `old` (size, root) is a prefix of tree `new` (RFC 9162, 2.1.4.2)."""
    (old_size, old_root), (new_size, new_root) = old, new
    if not 1 <= old_size <= new_size:
        return False
    if old_size == new_size:
        return not proof and old_root == new_root
    at, last = old_size - 1, new_size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    steps = list(proof) if at else [old_root, *proof]  # a perfect old tree is itself the first node
    if not steps:
        return False
    old_node = new_node = steps[0]
    for sibling in steps[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            old_node, new_node = node_hash(sibling, old_node), node_hash(sibling, new_node)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new_node = node_hash(new_node, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and old_node == old_root and new_node == new_root


def _split(size: int) -> int:
    """Return the largest power of two smaller than `size` (two or more)."""
    return 1 << (size - 1).bit_length() - 1
