"""Merkle trees against the vectors of the Certificate Transparency test suite and a recursive oracle."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karat.core import InputError
from karat.core._merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    merkle_root,
    verify_consistency,
    verify_inclusion,
)


def _oracle() -> ModuleType:
    path = Path(__file__).parents[1] / "oracles" / "oracle_merkle.py"
    spec = importlib.util.spec_from_file_location("oracle_merkle", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ORACLE = _oracle()
# Vectors of google/certificate-transparency, cpp/merkletree/merkle_tree_test.cc (Apache-2.0): inputs, roots, proofs.
INPUTS = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
H01 = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
H4 = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
H67 = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
PATHS = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        H01,
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [H4, H67, ROOTS[3]],
    (2, 3): [ROOTS[1]],
    (1, 5): [ROOTS[0], H01, H4],
}
PROOFS = {
    (1, 1): [],
    (1, 8): PATHS[0, 8],
    (6, 8): ["0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a", H67, ROOTS[3]],
    (2, 5): [H01, H4],
}
LEAVES = [leaf_hash(data) for data in INPUTS]
N = 64
DATA = [str(number).encode() for number in range(N)]
MANY = [leaf_hash(data) for data in DATA]


def test_1_the_empty_tree_has_the_hash_of_nothing() -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert EMPTY_ROOT.hex() == merkle_root([]).hex() == Frontier().root().hex() == empty


@pytest.mark.parametrize("size", range(1, 9))
def test_1_roots_equal_the_published_vectors(size: int) -> None:
    assert merkle_root(LEAVES[:size]).hex() == ROOTS[size - 1]


@pytest.mark.parametrize(("index", "size"), sorted(PATHS))
def test_3_inclusion_proofs_equal_the_published_vectors(index: int, size: int) -> None:
    proof = inclusion_proof(LEAVES[:size], index)
    assert [node.hex() for node in proof] == PATHS[index, size]
    assert verify_inclusion((index, LEAVES[index]), (size, bytes.fromhex(ROOTS[size - 1])), proof)


@pytest.mark.parametrize(("old", "size"), sorted(PROOFS))
def test_3_consistency_proofs_equal_the_published_vectors(old: int, size: int) -> None:
    proof = consistency_proof(LEAVES[:size], old)
    assert [node.hex() for node in proof] == PROOFS[old, size]
    roots = bytes.fromhex(ROOTS[old - 1]), bytes.fromhex(ROOTS[size - 1])
    assert verify_consistency((old, roots[0]), (size, roots[1]), proof)


@pytest.mark.parametrize("size", range(1, N + 1))
def test_3_every_proof_of_every_tree_up_to_64_equals_the_oracle_and_verifies(size: int) -> None:
    data, leaves = DATA[:size], MANY[:size]
    root = merkle_root(leaves)
    assert root == ORACLE.mth(data)
    for index in range(size):
        proof = inclusion_proof(leaves, index)
        assert proof == ORACLE.path(index, data)
        assert verify_inclusion((index, leaves[index]), (size, root), proof)
        old = merkle_root(MANY[: index + 1])
        proof = consistency_proof(leaves, index + 1)
        assert proof == ORACLE.proof(index + 1, data)
        assert verify_consistency((index + 1, old), (size, root), proof)


@pytest.mark.parametrize("size", range(1, N + 1))
def test_2_the_frontier_gives_the_root_after_every_leaf(size: int) -> None:
    frontier = Frontier()
    for leaf in MANY[:size]:
        frontier.add(leaf)
    assert frontier.size == size
    assert frontier.root() == ORACLE.mth(DATA[:size])
    assert len(frontier.nodes) == bin(size).count("1")
    again = Frontier.from_hex(size, frontier.hex())
    twin = again.copy()
    again.add(b"x" * 32)
    assert twin.root() == frontier.root() != again.root()


@given(st.data())
def test_3_a_proof_is_refused_for_anything_but_its_leaf_place_size_and_root(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, N))
    index = data.draw(st.integers(0, size - 1))
    leaves, root = MANY[:size], merkle_root(MANY[:size])
    proof = inclusion_proof(leaves, index)
    leaf = (index, leaves[index])
    other = data.draw(st.integers(0, size - 1).filter(lambda number: number != index))
    assert not verify_inclusion((index, leaves[other]), (size, root), proof)
    assert not verify_inclusion((other, leaves[index]), (size, root), proof)
    assert not verify_inclusion(leaf, (size, leaves[0]), proof)
    assert not verify_inclusion((size, leaves[index]), (size, root), proof)
    assert not verify_inclusion(leaf, (size, root), proof[:-1])
    assert not verify_inclusion(leaf, (size, root), [*proof, root])
    spoiled = list(proof)
    spoiled[data.draw(st.integers(0, len(proof) - 1))] = root
    assert not verify_inclusion(leaf, (size, root), spoiled)


@given(st.data())
def test_3_a_consistency_proof_is_refused_for_other_trees(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, N))
    old_size = data.draw(st.integers(1, size - 1))
    old, new = (old_size, merkle_root(MANY[:old_size])), (size, merkle_root(MANY[:size]))
    proof = consistency_proof(MANY[:size], old_size)
    assert not verify_consistency((old_size, b"o" * 32), new, proof)
    assert not verify_consistency(old, (size, b"n" * 32), proof)
    assert not verify_consistency(old, new, proof[:-1])
    assert not verify_consistency(old, new, [*proof, new[1]])
    assert not verify_consistency(new, old, proof)
    assert not verify_consistency((0, EMPTY_ROOT), new, proof)
    spoiled = list(proof)
    spoiled[data.draw(st.integers(0, len(proof) - 1))] = b"s" * 32
    assert not verify_consistency(old, new, spoiled)


def test_3_equal_trees_need_no_proof() -> None:
    tree = (3, merkle_root(MANY[:3]))
    assert verify_consistency(tree, tree, [])
    assert not verify_consistency(tree, tree, [b"x" * 32])
    assert not verify_consistency(tree, (3, b"x" * 32), [])
    assert not verify_consistency(tree, (4, b"x" * 32), [])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: inclusion_proof(MANY[:3], 3), "index: got 3; allowed: 0 to 2"),
        (lambda: inclusion_proof([], 0), "index: got 0; allowed: nothing: the tree is empty"),
        (lambda: consistency_proof(MANY[:3], 0), "old_size: got 0; allowed: 1 to 3"),
        (lambda: consistency_proof(MANY[:3], 4), "old_size: got 4; allowed: 1 to 3"),
        (lambda: Frontier(3, [b""]), "nodes: got 1; allowed: 2 subtree roots of a tree of size 3"),
        (lambda: Frontier.from_hex(1, "xy"), "frontier: got 'xy'; allowed: hexadecimal digits, 64 for each subtree"),
    ],
)
def test_what_cannot_be_is_named(call: object, message: str) -> None:
    with pytest.raises(InputError) as caught:
        call()
    assert str(caught.value) == message
