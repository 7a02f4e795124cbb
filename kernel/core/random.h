// The kernel's random generator: ChaCha20 keyed from hardware entropy and timing (RFC 8439, "The ChaCha20 Block
// Function", 2.3), rekeyed from its own output after each request.
#pragma once

#include <stddef.h>

void random_init(void);
// Any context.
void random_draw(void *buffer, size_t size_bytes);
