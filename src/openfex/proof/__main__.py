# SPDX-License-Identifier: Apache-2.0
"""`python3 -m openfex.proof`: the demo where only the standard library is."""

import sys

from openfex.proof.demo import main

sys.exit(main(sys.argv[1:]))
