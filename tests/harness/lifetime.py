"""Programs that end with the process that started them, however that one ends: by SIGKILL, too, after which nobody cleans up."""

import ctypes
import os
import signal

PR_SET_PDEATHSIG = 1  # prctl(2)
LIBC = ctypes.CDLL(None, use_errno=True)


def ending_with_this_process():
    """A preexec_fn. The program ends when the thread that starts it does, so that has to be one that stays."""
    parent = os.getpid()

    def in_child():
        if LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), 'prctl(PR_SET_PDEATHSIG)')
        if os.getppid() != parent:  # it ended before this process asked to be told
            os._exit(1)

    return in_child
