# SPDX-License-Identifier: Apache-2.0
"""The bridge's agent: what stations ask for becomes vEths."""
