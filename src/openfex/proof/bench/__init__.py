# SPDX-License-Identifier: Apache-2.0
"""What openfex costs, beside what others do for the same work: measured in turns, in one run (`fex bench`)."""
