// Marks: instructions that do nothing, by which a program tells the plugin of the emulator that
// counts instructions where a measurement begins and ends. The plugin is compiled for the machine
// that it watches (MARK_X64 or MARK_ARM64).
#pragma once

#define MARK_COUNT 16

// The bytes of mark N, below MARK_COUNT.
#if defined(MARK_X64)
// nopl N + 0x4b524d00(%rax)
#define MARK_BYTES 7
#define MARK_ENCODING(N)                                 \
    {                                                    \
        0x0f, 0x1f, 0x80, (uint8_t)(N), 0x4d, 0x52, 0x4b \
    }
#define MARK(N) __asm__ volatile(".byte 0x0f, 0x1f, 0x80; .long 0x4b524d00 + %c0" ::"i"(N))
#elif defined(MARK_ARM64)
// movz xzr, #0x4d00 + N
#define MARK_BYTES 4
#define MARK_ENCODING(N)                                                   \
    {                                                                      \
        (uint8_t)((N) << 5 | 0x1f), (uint8_t)((N) >> 3 | 0xa0), 0x89, 0xd2 \
    }
#define MARK(N) __asm__ volatile("movz xzr, #0x4d00 + %c0" ::"i"(N))
#else
#error "which machine's marks?"
#endif
