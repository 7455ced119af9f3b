# SPDX-License-Identifier: Apache-2.0
"""What is written of the agents of hosts and bridges: the times they go by."""

from __future__ import annotations

from pydantic import Field

from openfex.model.layout import Signalling
from openfex.model.spec import Spec
from openfex.model.typed import Milliseconds

_UNITS_A_MS = 100
"""EVB counts in doublings of 10 us."""
_MOST_EXPONENT = 31


class SignallingSpec(Spec):
    """The times that agents go by. Each becomes 10 us x 2^n, the next one that is as long: EVB knows no others."""

    retransmission: Milliseconds = Field(
        "100ms",
        validate_default=True,
        description="a frame of ECP that nobody acknowledges is sent again after this time",
        examples=["100ms"],
    )
    resource_wait: Milliseconds = Field(
        "10s",
        validate_default=True,
        description="so long a bridge may take to say whether a NIC may have its port",
        examples=["10s"],
    )
    keep_alive: Milliseconds = Field(
        "10s",
        validate_default=True,
        description="a host says that often that a NIC is still there; a port of which nothing is heard for half as "
        "long again goes down",
        examples=["10s", "250ms"],
    )


def signalling_of(spec: SignallingSpec) -> Signalling:
    """The exponents of what is written."""
    return Signalling(*(_exponent(one) for one in (spec.retransmission, spec.resource_wait, spec.keep_alive)))


def _exponent(milliseconds: int) -> int:
    return min((milliseconds * _UNITS_A_MS - 1).bit_length(), _MOST_EXPONENT)


BY_DEFAULT = signalling_of(SignallingSpec.model_validate({}))
"""How agents speak where documents do not say."""
