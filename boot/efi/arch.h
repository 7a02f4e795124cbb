// What the loader needs of each architecture: boot/efi/x64, boot/efi/arm64.
#pragma once

#include <arch_facts.h>
#include "boot/efi/firmware.h"

// What arch_hand_over works with; all of it below 4 GiB on x64.
struct hand_over {
    uint64_t kernel;        // where the kernel goes
    uint64_t kernel_bytes;  // of it, headers included
    uint64_t reserve_bytes; // behind it
    uint64_t entry;         // address
    const void *image;      // where the kernel is
    void *data;             // the data container, complete
    uint64_t data_capacity_bytes;
    uint64_t buffer; // where the image was read to, and the data container is
    uint64_t buffer_bytes;
    void *code;    // a page for the loader's last code, which the firmware lets run
    void *scratch; // ARCH_SCRATCH_PAGES that lie nowhere else, and the rest of scratch_bytes
    uint64_t scratch_bytes;
};

// The kernel's place, with kernel_bytes and reserve_bytes set. False: says why there is none, and
// what to do.
bool arch_place_kernel(struct hand_over *hand_over);
// Gives the place back after a failure.
void arch_release_kernel(struct hand_over *hand_over);
// With the firmware's boot services.
void arch_prepare(struct hand_over *hand_over);
// Without them.
_Noreturn void arch_hand_over(const struct hand_over *hand_over);
