"""Two names change places in one step, where the system can do that."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

FROM_HERE = -100  # AT_FDCWD: relative paths begin where the process stands
SWAP = 2  # RENAME_EXCHANGE of Linux, RENAME_SWAP of macOS
UNSUPPORTED = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP}


def exchange(one: Path, other: Path) -> bool:
    """Let two files or folders of one disk change places; nobody sees anything in between.

    Returns:
        False where the system or the disk cannot do that; nothing has changed then.

    Raises:
        OSError: one of them is missing, or must not be moved.
    """
    library: Any = ctypes.CDLL(None, use_errno=True) if os.name == "posix" else None
    names = (os.fsencode(one), os.fsencode(other))
    if sys.platform == "darwin" and hasattr(library, "renamex_np"):
        failed = library.renamex_np(*names, SWAP)
    elif hasattr(library, "renameat2"):
        failed = library.renameat2(FROM_HERE, names[0], FROM_HERE, names[1], SWAP)
    else:
        return False
    if not failed:
        return True
    number = ctypes.get_errno()
    if number in UNSUPPORTED:
        return False
    raise OSError(number, os.strerror(number), str(one), None, str(other))
