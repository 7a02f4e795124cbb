// Choosing the source of files, and showing progress; see source.h.
#include "boot/efi/source.h"

#include "boot/efi/console.h"

bool source_find(struct source *source)
{
    static const EFI_GUID loaded_image = EFI_LOADED_IMAGE_PROTOCOL_GUID;
    EFI_LOADED_IMAGE *image = efi_protocol(efi_image, &loaded_image);

    if (image && (source_find_network(image->DeviceHandle, source) ||
                  source_find_disk(image->DeviceHandle, source)))
        return true;
    console_say(
        "The loader cannot tell where it was started from: neither from a disk with a file system "
        "nor over the network.\nStart it from the firmware's boot menu.\n");
    return false;
}

void source_show_progress(uint64_t done_bytes, uint64_t total_bytes)
{
    static uint64_t shown_percent;
    uint64_t percent = total_bytes ? done_bytes * 100 / total_bytes : 100;

    if (done_bytes != 0 && done_bytes != total_bytes && percent < shown_percent + 5 &&
        percent >= shown_percent)
        return;
    shown_percent = percent;
    console_say("\r%3u %% of %u MiB", (unsigned)percent,
                (unsigned)((total_bytes + (1 << 20) - 1) >> 20));
}
