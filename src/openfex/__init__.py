# SPDX-License-Identifier: Apache-2.0
"""openfex: every SR-IOV virtual function its own port on the switch."""

__version__ = "0.1.0"
