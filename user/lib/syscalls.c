// The system call stubs, all generated from the list that gives the calls their numbers.

#include <machina/arch/syscall.h>
#include <machina/syscalls.h>

#define MX_PTR(type) type *

enum {
#define S0(result, name)                         SYSCALL_##name,
#define S1(result, name, t0)                     SYSCALL_##name,
#define S2(result, name, t0, t1)                 SYSCALL_##name,
#define S3(result, name, t0, t1, t2)             SYSCALL_##name,
#define S4(result, name, t0, t1, t2, t3)         SYSCALL_##name,
#define S5(result, name, t0, t1, t2, t3, t4)     SYSCALL_##name,
#define S6(result, name, t0, t1, t2, t3, t4, t5) SYSCALL_##name,
#include <machina/syscall_list.h>
#undef S0
#undef S1
#undef S2
#undef S3
#undef S4
#undef S5
#undef S6
};

// The two calls that do not return are declared so; their stubs get other names here.
#define mx_process_exit process_exit_stub
#define mx_thread_exit  thread_exit_stub
static mx_status_t process_exit_stub(int32_t exit_code);
static mx_status_t thread_exit_stub(void);

#define S0(result, name)                                              \
    result mx_##name(void)                                            \
    {                                                                 \
        return (result)mx_syscall6(SYSCALL_##name, 0, 0, 0, 0, 0, 0); \
    }
#define S1(result, name, t0)                                                     \
    result mx_##name(t0 a0)                                                      \
    {                                                                            \
        return (result)mx_syscall6(SYSCALL_##name, (uint64_t)a0, 0, 0, 0, 0, 0); \
    }
#define S2(result, name, t0, t1)                                                            \
    result mx_##name(t0 a0, t1 a1)                                                          \
    {                                                                                       \
        return (result)mx_syscall6(SYSCALL_##name, (uint64_t)a0, (uint64_t)a1, 0, 0, 0, 0); \
    }
#define S3(result, name, t0, t1, t2)                                                               \
    result mx_##name(t0 a0, t1 a1, t2 a2)                                                          \
    {                                                                                              \
        return (result)mx_syscall6(SYSCALL_##name, (uint64_t)a0, (uint64_t)a1, (uint64_t)a2, 0, 0, \
                                   0);                                                             \
    }
#define S4(result, name, t0, t1, t2, t3)                                                     \
    result mx_##name(t0 a0, t1 a1, t2 a2, t3 a3)                                             \
    {                                                                                        \
        return (result)mx_syscall6(SYSCALL_##name, (uint64_t)a0, (uint64_t)a1, (uint64_t)a2, \
                                   (uint64_t)a3, 0, 0);                                      \
    }
#define S5(result, name, t0, t1, t2, t3, t4)                                                 \
    result mx_##name(t0 a0, t1 a1, t2 a2, t3 a3, t4 a4)                                      \
    {                                                                                        \
        return (result)mx_syscall6(SYSCALL_##name, (uint64_t)a0, (uint64_t)a1, (uint64_t)a2, \
                                   (uint64_t)a3, (uint64_t)a4, 0);                           \
    }
#define S6(result, name, t0, t1, t2, t3, t4, t5)                                             \
    result mx_##name(t0 a0, t1 a1, t2 a2, t3 a3, t4 a4, t5 a5)                               \
    {                                                                                        \
        return (result)mx_syscall6(SYSCALL_##name, (uint64_t)a0, (uint64_t)a1, (uint64_t)a2, \
                                   (uint64_t)a3, (uint64_t)a4, (uint64_t)a5);                \
    }
#include <machina/syscall_list.h>

#undef mx_process_exit
#undef mx_thread_exit

_Noreturn void mx_process_exit(int32_t exit_code)
{
    for (;;)
        (void)process_exit_stub(exit_code);
}

_Noreturn void mx_thread_exit(void)
{
    for (;;)
        (void)thread_exit_stub();
}
