// Arbitrary files as a kernel for linux_elf_load.
#include "tests/fuzz/linux_loader_fuzz.h"
#include "vmm/loader/x86_64/linux_elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_loader(data, size, linux_elf_load);
}
