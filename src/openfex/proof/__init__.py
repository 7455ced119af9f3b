# SPDX-License-Identifier: Apache-2.0
"""What the product claims, and shows: the demo and its proofs."""
