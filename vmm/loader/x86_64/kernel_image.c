// Tells the kinds of guest kernel apart; the contract is in the header.
#include "vmm/loader/x86_64/kernel_image.h"

#include "vmm/loader/x86_64/linux_bzimage.h"
#include "vmm/loader/x86_64/linux_elf.h"
#include "vmm/loader/x86_64/zircon_x86.h"
#include "vmm/loader/zircon_image.h"

enum kernel_image_kind kernel_image_sniff(const struct boot_blob *kernel)
{
    if (zircon_image_matches(kernel))
        return KERNEL_IMAGE_ZIRCON;
    if (linux_elf_matches(kernel))
        return KERNEL_IMAGE_LINUX_ELF;
    return linux_bzimage_matches(kernel) ? KERNEL_IMAGE_LINUX_BZIMAGE : KERNEL_IMAGE_UNKNOWN;
}

mx_status_t kernel_image_load(const struct boot_request *request, const struct x86_boot_map *map,
                              struct x86_boot_state *state)
{
    const enum kernel_image_kind kind = kernel_image_sniff(&request->kernel);
    const mx_status_t status = boot_check_kind(request, kind == KERNEL_IMAGE_ZIRCON);

    *state = (struct x86_boot_state){0};
    if (status != MX_OK)
        return status;
    switch (kind) {
    case KERNEL_IMAGE_ZIRCON:
        return zircon_x86_load(request, map, state);
    case KERNEL_IMAGE_LINUX_BZIMAGE:
        return linux_bzimage_load(request, map, state);
    case KERNEL_IMAGE_LINUX_ELF:
        return linux_elf_load(request, map, state);
    case KERNEL_IMAGE_UNKNOWN:
        break;
    }
    return boot_refuse_kernel(request, "neither a Linux bzImage (no \"HdrS\" at 0x202) nor an ELF "
                                       "file nor a Zircon boot image");
}
