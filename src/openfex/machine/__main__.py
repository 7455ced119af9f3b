# SPDX-License-Identifier: Apache-2.0
"""`python -m openfex.machine [guest|twin]`: make what our guest boots, or what a twin takes, if it is not there."""

import sys

from openfex.errors import OpenfexError
from openfex.machine.emulator import make_emulator
from openfex.machine.image import make_image
from openfex.machine.stock import NEWEST, make_stock

try:
    if sys.argv[1:] == ["twin"]:
        print(make_emulator(), make_stock(NEWEST))
    else:
        print(make_image())
except OpenfexError as error:
    print(f"fex: {error} [{error.code}]", file=sys.stderr)
    sys.exit(1)
