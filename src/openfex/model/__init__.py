# SPDX-License-Identifier: Apache-2.0
"""The nouns: frozen values with units, and the documents that people write. Pure."""
