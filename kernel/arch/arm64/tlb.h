// TLB maintenance, broadcast to all CPUs of the inner shareable domain and waited for (Arm ARM DDI
// 0487J.a, D8.14). The callers' changes of tables need no barrier before it.
#pragma once

#include "kernel/lib/types.h"

// Beyond this many pages, everything of the address space is forgotten at once.
#define TLB_FLUSH_PAGES_MAX 32

// Of a process; with `has_tables` also the tables that led to the range.
void tlb_flush_user(uint32_t asid, uint64_t addr, uint64_t size_bytes, bool has_tables);
void tlb_flush_asid(uint32_t asid);
void tlb_flush_kernel(uint64_t addr, uint64_t size_bytes);
// On this CPU alone.
void tlb_flush_asid_local(uint32_t asid);
void tlb_flush_all_local(void);
