// The system call table: number to function, with the arguments brought to their types.

#include <machina/types.h>

#include "kernel/core/cpu.h"
#include "kernel/object/syscalls.h"

typedef int64_t (*syscall_function)(const uint64_t *a);

#define MX_PTR(type) uaddr_t
#define S0(ret, name)                                                                              \
    static int64_t call_##name(const uint64_t *a)                                                  \
    {                                                                                              \
        (void)a;                                                                                   \
        return sys_##name();                                                                       \
    }
#define S1(ret, name, t0)                                                                          \
    static int64_t call_##name(const uint64_t *a)                                                  \
    {                                                                                              \
        return sys_##name((t0)a[0]);                                                               \
    }
#define S2(ret, name, t0, t1)                                                                      \
    static int64_t call_##name(const uint64_t *a)                                                  \
    {                                                                                              \
        return sys_##name((t0)a[0], (t1)a[1]);                                                     \
    }
#define S3(ret, name, t0, t1, t2)                                                                  \
    static int64_t call_##name(const uint64_t *a)                                                  \
    {                                                                                              \
        return sys_##name((t0)a[0], (t1)a[1], (t2)a[2]);                                           \
    }
#define S4(ret, name, t0, t1, t2, t3)                                                              \
    static int64_t call_##name(const uint64_t *a)                                                  \
    {                                                                                              \
        return sys_##name((t0)a[0], (t1)a[1], (t2)a[2], (t3)a[3]);                                 \
    }
#define S5(ret, name, t0, t1, t2, t3, t4)                                                          \
    static int64_t call_##name(const uint64_t *a)                                                  \
    {                                                                                              \
        return sys_##name((t0)a[0], (t1)a[1], (t2)a[2], (t3)a[3], (t4)a[4]);                       \
    }
#define S6(ret, name, t0, t1, t2, t3, t4, t5)                                                      \
    static int64_t call_##name(const uint64_t *a)                                                  \
    {                                                                                              \
        return sys_##name((t0)a[0], (t1)a[1], (t2)a[2], (t3)a[3], (t4)a[4], (t5)a[5]);             \
    }
#include <machina/syscall_list.h>
#undef S0
#undef S1
#undef S2
#undef S3
#undef S4
#undef S5
#undef S6

#define S0(ret, name)                         call_##name,
#define S1(ret, name, t0)                     call_##name,
#define S2(ret, name, t0, t1)                 call_##name,
#define S3(ret, name, t0, t1, t2)             call_##name,
#define S4(ret, name, t0, t1, t2, t3)         call_##name,
#define S5(ret, name, t0, t1, t2, t3, t4)     call_##name,
#define S6(ret, name, t0, t1, t2, t3, t4, t5) call_##name,
static const syscall_function functions[] = {
#include <machina/syscall_list.h>
};

int64_t syscall_dispatch(uint64_t number, const uint64_t *arguments)
{
    if (number >= ARRAY_COUNT(functions))
        return MX_ERR_BAD_SYSCALL;
    return functions[number](arguments);
}
