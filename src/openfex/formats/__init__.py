# SPDX-License-Identifier: Apache-2.0
"""Other people's SR-IOV configuration, in and out. Pure: text in, values and text out."""
