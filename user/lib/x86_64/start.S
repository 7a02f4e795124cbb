// The first instructions of a user program, whose start-up channel is in rdi (mx_process_start), and of every
// further thread, whose struct thread is in rdi (mx_thread_start).

        .text
        .globl _start
        .type _start, @function
_start:
        xorl    %ebp, %ebp              // ends every backtrace
        andq    $-16, %rsp
        call    user_start
        ud2
        .size _start, . - _start

        .globl start_thread
        .type start_thread, @function
start_thread:
        xorl    %ebp, %ebp
        andq    $-16, %rsp
        call    user_thread_run
        ud2
        .size start_thread, . - start_thread

        .section .note.GNU-stack, "", @progbits
