// The first instructions of a user program, whose start-up channel is in x0 (mx_process_start), and of every further
// thread, whose struct thread is in x0 (mx_thread_start).

        .text
        .globl _start
        .type _start, @function
_start:
        mov     x29, xzr                // ends every backtrace
        mov     x30, xzr
        mov     x1, sp
        and     sp, x1, #-16
        b       user_start
        .size _start, . - _start

        .globl start_thread
        .type start_thread, @function
start_thread:
        mov     x29, xzr
        mov     x30, xzr
        mov     x1, sp
        and     sp, x1, #-16
        b       user_thread_run
        .size start_thread, . - start_thread

        .section .note.GNU-stack, "", @progbits
