# SPDX-License-Identifier: Apache-2.0
"""The fakes, generators and judges that our own tests use, for everyone's tests."""
