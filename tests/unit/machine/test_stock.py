# SPDX-License-Identifier: Apache-2.0
"""The images of stock kernels: made once, of packages that are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from openfex.errors import UnsupportedError
from openfex.machine import image, stock
from openfex.machine.stock import STOCK, Stock, has_stock, make_stock

ONE = Stock("9.9", "some-suite")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(image, "CACHE", tmp_path)
    return tmp_path


def test_every_stock_kernel_has_a_suite_of_its_own() -> None:
    assert len({one.suite for one in STOCK}) == len(STOCK)


def test_it_is_made_once_and_an_older_one_goes(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    downloads: list[Stock] = []

    def build(fetched: Path, folder: Path) -> None:
        assert fetched == cache / "kernel-some-suite"
        (folder / "kernel").write_bytes(b"k")

    monkeypatch.setattr(stock, "_download", lambda one, folder: downloads.append(one))
    monkeypatch.setattr(stock, "_build", build)
    older, foreign = cache / f"stock-some-suite-{'0' * 16}", cache / f"stock-some-suite-next-{'0' * 16}"
    older.mkdir()
    foreign.mkdir()
    assert not has_stock(ONE)
    made = make_stock(ONE)
    assert has_stock(ONE)
    assert make_stock(ONE) == made
    assert made.kernel.read_bytes() == b"k"
    assert downloads == [ONE]
    assert (older.exists(), foreign.exists()) == (False, True)


def test_a_recipe_that_changed_makes_it_again_of_what_is_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cache / "kernel-some-suite").mkdir()
    built: list[Path] = []
    monkeypatch.setattr(stock, "_build", lambda fetched, folder: built.append(folder))
    make_stock(ONE)
    recipe = cache / "recipe"
    recipe.write_text("new")
    monkeypatch.setattr(stock, "_RECIPE", (recipe,))
    assert not has_stock(ONE)
    make_stock(ONE)
    assert len(built) == 2
    assert len(list(cache.glob("stock-*"))) == 1


def test_where_it_cannot_be_had_it_says_which_packages_it_needs(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(one: Stock, folder: Path) -> None:
        raise UnsupportedError("no way")

    monkeypatch.setattr(stock, "_download", refuse)
    with pytest.raises(UnsupportedError) as refused:
        make_stock(ONE)
    assert refused.value.code == "no-stock-kernel"
    assert "Linux 9.9 of Debian's some-suite cannot be had: no way" in refused.value.message
    assert stock.KERNEL_PACKAGE in refused.value.remedy
    assert not list(cache.glob("stock-*"))
    assert not list(cache.glob("kernel-*"))
