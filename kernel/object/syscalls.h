// The kernel's side of the system calls: one sys_NAME function per line of <machina/syscall_list.h>, with its rights and
// errors documented in <machina/syscalls.h>. Pointers into user memory are uaddr_t.
#pragma once

#include "kernel/lib/types.h"

#define MX_PTR(type) uaddr_t
#define S0(ret, name) int64_t sys_##name(void);
#define S1(ret, name, t0) int64_t sys_##name(t0);
#define S2(ret, name, t0, t1) int64_t sys_##name(t0, t1);
#define S3(ret, name, t0, t1, t2) int64_t sys_##name(t0, t1, t2);
#define S4(ret, name, t0, t1, t2, t3) int64_t sys_##name(t0, t1, t2, t3);
#define S5(ret, name, t0, t1, t2, t3, t4) int64_t sys_##name(t0, t1, t2, t3, t4);
#define S6(ret, name, t0, t1, t2, t3, t4, t5) int64_t sys_##name(t0, t1, t2, t3, t4, t5);
#include <machina/syscall_list.h>
#undef MX_PTR
#undef S0
#undef S1
#undef S2
#undef S3
#undef S4
#undef S5
#undef S6

// For the architecture's entry code: `arguments` are six saved argument registers. Interrupts enabled. The entry code
// bounds-checks nothing: any number is fine.
int64_t syscall_dispatch(uint64_t number, const uint64_t *arguments);
