// What the guest reads, and the marks around it. tests/bench/block_path.py reads the figures here.
#pragma once

#include "tests/bench/block/marks.h"

#define DISK_BYTES  (64u << 20)
#define SMALL_BYTES 4096u
#define LARGE_BYTES (1u << 20)
#define AT_ONCE     8u // requests in flight

#define WARM_UP_COUNT       128u
#define SMALL_COUNT         1024u
#define AT_ONCE_COUNT       2048u
#define LARGE_WARM_UP_COUNT 4u
#define LARGE_COUNT         32u

// Where each begins; the next mark is where it ends.
#define MARK_SMALL   0
#define MARK_AT_ONCE 2
#define MARK_LARGE   4
