// A program and its terminal; see machina_user/terminal.h.

#include <machina_user/terminal.h>

#include <machina/syscalls.h>

#include <machina_user/startup.h>

mx_handle_t terminal_input(void)
{
    return startup_handle_look(MX_STARTUP_STDIN, 0);
}

mx_handle_t terminal_output(void)
{
    return startup_handle_look(MX_STARTUP_STDOUT, 0);
}

mx_status_t terminal_set_raw(bool is_raw)
{
    if (terminal_input() == MX_HANDLE_INVALID)
        return MX_ERR_BAD_STATE;
    return mx_object_signal(terminal_input(), is_raw ? 0 : TERMINAL_SIGNAL_RAW,
                            is_raw ? TERMINAL_SIGNAL_RAW : 0);
}
