// Contract: how CPUs reach the memory behind a page.
#pragma once

enum memory_type {
    MEMORY_CACHED,   // RAM
    MEMORY_DEVICE,   // registers: each access by itself, as wide as it is, and in order
    MEMORY_COMBINED, // a picture: past the caches, writes may be joined and change places
};
