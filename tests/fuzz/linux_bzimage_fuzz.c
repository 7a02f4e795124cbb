// Arbitrary files as a kernel for linux_bzimage_load.
#include "tests/fuzz/linux_loader_fuzz.h"
#include "vmm/loader/x86_64/linux_bzimage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_loader(data, size, linux_bzimage_load);
}
