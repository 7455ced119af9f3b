# SPDX-License-Identifier: Apache-2.0
"""A machine is put on another host, and no other character changes."""

from __future__ import annotations

import pytest

from openfex.errors import NotFoundError, OpenfexError, RefusedError
from openfex.model.editor import replace_host

TEXT = """\
# what h1 is
kind: host
name: h1
---
kind: machine
name: vm1
spec: {host: h1, nics: {eth0: {profile: web}}}   # h1, for now
---
kind: machine
name: vm2
spec:
    nics:   {eth0: {profile: web, function: n/0}}
    host:   'h1'
---
kind: machine
name: own
spec: {host: h1, type: host, nics: {own0: {profile: web}}}
---
kind: machine
name: 7
spec: {nics: {eth0: {profile: web}}, host: 1}
---
kind: machine
name: vm3
spec:
  nics: {eth0: {profile: web}}
  host: "h1"
"""


def test_one_word_changes() -> None:
    assert replace_host(TEXT, "vm1", "h22") == TEXT.replace("{host: h1, nics", "{host: h22, nics")
    assert replace_host(TEXT, "vm3", "h22") == TEXT.replace('host: "h1"', 'host: "h22"')
    assert replace_host(TEXT, "7", "h22") == TEXT.replace("host: 1}", "host: h22}")
    assert replace_host(TEXT, "vm1", "h1") == TEXT
    assert replace_host(TEXT.replace("\n", "\r\n"), "vm1", "h1") == TEXT.replace("\n", "\r\n")


@pytest.mark.parametrize(
    ("machine", "kind", "code"),
    [
        ("vm2", RefusedError, "function-fixed"),
        ("own", RefusedError, "machine-is-host"),
        ("vm9", NotFoundError, "no-such-machine"),
    ],
)
def test_what_cannot_move_is_refused(machine: str, kind: type[OpenfexError], code: str) -> None:
    with pytest.raises(kind) as refused:
        replace_host(TEXT, machine, "h2")
    assert refused.value.code == code


def test_an_alias_is_not_edited() -> None:
    text = "kind: machine\nname: vm1\nspec: {nics: {eth0: {profile: &h h1}}, host: *h}\n"
    with pytest.raises(RefusedError, match="is not written there"):
        replace_host(text, "vm1", "h2")
