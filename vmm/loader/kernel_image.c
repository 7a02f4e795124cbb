// Tells the kinds of guest kernel apart; the contract is in the header.
#include "vmm/loader/kernel_image.h"

#include <string.h>

#include "vmm/loader/linux_bzimage.h"
#include "vmm/loader/linux_elf.h"

// Files that are mistaken for kernels, by how they begin.
struct known_file {
    uint8_t magic_bytes;
    char magic[7];
    const char *advice;
};

static const struct known_file KNOWN_FILES[] = {
    {2, "\x1f\x8b", "a gzip file; decompress it first"},
    {6,
     "\xfd"
     "7zXZ\0",
     "an xz file; decompress it first"},
    {4, "\x28\xb5\x2f\xfd", "a zstd file; decompress it first"},
    {6, "070701", "a cpio archive; is it the ramdisk?"},
    {4, "BOOT", "a Zircon boot image, which this machine does not load"},
    {7, "!<arch>", "a Debian package or a library; unpack it first"},
};

enum kernel_image_kind kernel_image_sniff(const struct boot_blob *kernel)
{
    if (linux_elf_matches(kernel))
        return KERNEL_IMAGE_LINUX_ELF;
    return linux_bzimage_matches(kernel) ? KERNEL_IMAGE_LINUX_BZIMAGE : KERNEL_IMAGE_UNKNOWN;
}

static mx_status_t refuse(const struct boot_request *request)
{
    const struct boot_blob *kernel = &request->kernel;
    if (kernel->size_bytes == 0)
        return boot_fail(request, MX_ERR_IO_DATA_INTEGRITY, "kernel: the file is empty");
    for (size_t i = 0; i < sizeof(KNOWN_FILES) / sizeof(KNOWN_FILES[0]); i++) {
        const struct known_file *known = &KNOWN_FILES[i];
        if (kernel->size_bytes >= known->magic_bytes &&
            memcmp(kernel->data, known->magic, known->magic_bytes) == 0)
            return boot_fail(request, MX_ERR_NOT_SUPPORTED, "kernel: this is %s", known->advice);
    }
    return boot_fail(request, MX_ERR_NOT_SUPPORTED,
                     "kernel: neither a Linux bzImage (no \"HdrS\" at 0x202) nor an ELF file");
}

mx_status_t kernel_image_load(const struct boot_request *request, struct boot_state *state)
{
    switch (kernel_image_sniff(&request->kernel)) {
    case KERNEL_IMAGE_LINUX_BZIMAGE:
        return linux_bzimage_load(request, state);
    case KERNEL_IMAGE_LINUX_ELF:
        return linux_elf_load(request, state);
    case KERNEL_IMAGE_UNKNOWN:
        break;
    }
    *state = (struct boot_state){0};
    return refuse(request);
}
