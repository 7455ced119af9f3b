# SPDX-License-Identifier: Apache-2.0
"""What becomes of an errno, and of names that the kernel is never asked about."""

from __future__ import annotations

import errno

import pytest

from openfex.errors import InputError, KernelError, NotFoundError, UnsupportedError
from openfex.linux import netns, sysctl
from openfex.linux.border import ENOTSUPP, crossing, refusal


def test_an_errno_is_kept_and_said() -> None:
    error = refusal(errno.EBUSY, "move link x")
    assert isinstance(error, KernelError)
    assert (error.errno, str(error)) == (errno.EBUSY, "cannot move link x: Device or resource busy")


def test_the_kernels_own_words_come_first() -> None:
    assert str(refusal(errno.EINVAL, "set link x", "mtu greater than device maximum")).endswith("device maximum")


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.ENOSYS, ENOTSUPP])
def test_what_a_kernel_lacks_is_unsupported(number: int) -> None:
    assert isinstance(refusal(number, "do it"), UnsupportedError)


def test_an_os_error_crosses_with_its_cause() -> None:
    with pytest.raises(KernelError) as raised, crossing("open it"):
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")
    assert isinstance(raised.value.__cause__, FileNotFoundError)
    assert raised.value.errno == errno.ENOENT


def test_an_error_of_ours_crosses_as_it_is() -> None:
    with pytest.raises(NotFoundError), crossing("open it"):
        raise NotFoundError("not here")
    with pytest.raises(KernelError, match=r"^inner$"), crossing("outer"):
        raise KernelError("inner", errno.EIO)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "x" * 256])
def test_names_that_no_name_space_can_have_are_refused(name: str) -> None:
    with pytest.raises(InputError):
        netns.path(name)


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("net.ipv4.ip_forward", "/proc/sys/net/ipv4/ip_forward"),
        ("net/ipv4/conf/up.a/forwarding", "/proc/sys/net/ipv4/conf/up.a/forwarding"),
    ],
)
def test_a_setting_is_a_file(key: str, path: str) -> None:
    assert str(sysctl.path(key)) == path


@pytest.mark.parametrize("key", ["", "a..b", "../etc/passwd", "net/../x"])
def test_what_is_no_setting_is_refused(key: str) -> None:
    with pytest.raises(InputError):
        sysctl.path(key)
