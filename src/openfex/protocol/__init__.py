# SPDX-License-Identifier: Apache-2.0
"""What host and bridge say to each other, as machines without I/O: octets, wishes and `now` in; outputs out.

Every machine has the same three verbs. `receive(pdu, now)` takes what has come, a verb of its own takes a wish
(`associate(..., now)`), and `expire(now)` is called once `deadline` has come. Each gives a list of outputs, in order:
values of `output.py` and of the machine's own module. `deadline` is the time when the machine wants to be called, None
if it waits for others alone. Times are seconds of a clock that only goes forward. docs/design/signalling.md.
"""
