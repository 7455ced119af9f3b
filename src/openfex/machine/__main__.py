# SPDX-License-Identifier: Apache-2.0
"""`python -m openfex.machine`: make the image that virtual machines boot, if it is not there."""

import sys

from openfex.errors import OpenfexError
from openfex.machine.image import make_image

try:
    print(make_image())
except OpenfexError as error:
    print(f"fex: {error} [{error.code}]", file=sys.stderr)
    sys.exit(1)
