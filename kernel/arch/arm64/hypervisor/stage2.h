// Second-stage tables: the format, virtual machine identifiers, TLB maintenance. The tables
// themselves are paging.c's, the same code as for programs.
//
// 4 KiB granule, beginning at the manual's level 1 (ours is 3) with as many tables side by side as
// the addresses need: 40 bits of guest addresses, or as many as the CPU has if those are fewer.
// Identifiers belong to guests from creation to destruction, 255 or 65535 of them, so none ever has
// to be taken away from a guest that runs; NO_RESOURCES otherwise.
//
// With FEAT_S2FWB everything a guest does to memory goes through the caches, whatever its own
// tables say, so caches need no care. Without, memory is cleaned when it is shown to the guest,
// which may look past the caches.
#pragma once

#include <stdint.h>

#include <arch/mmu.h>

#define STAGE2_ADDRESS_BITS_MAX 40

uint64_t stage2_vtcr(void);
uint64_t stage2_vttbr(const struct arch_aspace *aspace);
// Forgets the translations of the guest in VTTBR_EL2 on this CPU, of both stages. Interrupts
// disabled.
void stage2_flush_local(void);
// Cleans all memory that the guest sees from the caches, for one that maintains them by set and
// way. Interrupts enabled.
void stage2_clean(struct arch_aspace *aspace);
