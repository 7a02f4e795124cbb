// Where the guests of the benchmark leave their results, beside guest_layout.h. Shared with
// assembly.
#pragma once

// GUEST_DATA: ticks of each round.
#define BENCH_ROUNDS 80 // SAMPLES_WARM_UP + SAMPLES_MAX

// Of bench_device, behind GUEST_DATA.
#define BENCH_OFFSET_STAMPS 0x800
#define BENCH_STAMPS        0x1000

#define BENCH_DISTRIBUTOR 0xb00000 // without memory
#define BENCH_SPI         40
#define BENCH_OFFSET_DONE 1
