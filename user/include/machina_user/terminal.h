// A program and the terminal it runs in.
//
// The shell stands between the keyboard and the program's input stream: it ends the program on ^C,
// unless the program says that it wants every byte itself. It says so by a user signal on its own
// end of the stream, which the shell sees as well.
#pragma once

#include <stdbool.h>

#include <machina/types.h>

#define TERMINAL_SIGNAL_RAW (1u << 24)

// The program's input stream; MX_HANDLE_INVALID without a terminal.
mx_handle_t terminal_input(void);
// Its output stream.
mx_handle_t terminal_output(void);
// Whether ^C goes to the program rather than ending it. It ends with the program.
MX_MUST_CHECK mx_status_t terminal_set_raw(bool is_raw);
