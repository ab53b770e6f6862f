"""Hash trees, against the roots that Certificate Transparency publishes for its test entries."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services import merkle

ENTRIES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
# From the test data of the reference implementation of RFC 6962.
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
entries = st.lists(st.binary(max_size=8), min_size=1, max_size=40)


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    leaves = [merkle.leaf_digest(entry) for entry in ENTRIES[:size]]
    assert merkle.root(leaves).hex() == ROOTS[size]


@given(entries)
def test_every_entry_is_proved_by_few_hashes(listed: list[bytes]) -> None:
    leaves = [merkle.leaf_digest(entry) for entry in listed]
    for index, leaf in enumerate(leaves):
        steps = merkle.proof(leaves, index)
        assert merkle.climb(leaf, steps) == merkle.root(leaves)
        assert len(steps) <= (len(leaves) - 1).bit_length()


@given(entries, st.data())
def test_nothing_else_is_proved_by_them(listed: list[bytes], data: st.DataObject) -> None:
    leaves = [merkle.leaf_digest(entry) for entry in listed]
    steps = merkle.proof(leaves, data.draw(st.integers(0, len(leaves) - 1)))
    stranger = hashlib.sha256(b"\0a stranger to this list").digest()
    assert merkle.climb(stranger, steps) != merkle.root(leaves)


@pytest.mark.parametrize("index", [-1, 2])
def test_there_is_no_proof_of_what_is_not_there(index: int) -> None:
    with pytest.raises(IndexError):
        merkle.proof([merkle.leaf_digest(b"a"), merkle.leaf_digest(b"b")], index)
