# SPDX-License-Identifier: Apache-2.0
"""The host's agent: its functions are announced, its machines' NICs associated, its port extender told."""
