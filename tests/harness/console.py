"""A program on a terminal that a test types into. QEMU is started here and nowhere else, so that none outlives the tests."""

import pexpect

from harness.lifetime import ending_with_this_process


def start_console(program, arguments, timeout, log=None):
    """Starts QEMU, or a script that becomes it. `timeout` is for each wait that names none; the log gets what it prints."""
    console = pexpect.spawn(str(program), [str(word) for word in arguments], encoding='utf-8', codec_errors='replace',
                            timeout=timeout, echo=False, dimensions=(50, 200), preexec_fn=ending_with_this_process())
    console.logfile_read = log
    console.delaybeforesend = None
    return console
