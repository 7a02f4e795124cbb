// The tables that kstats prints: guest exits, scheduling, memory; as text columns and as JSON.
//
// What a CPU's exits are called is a table per architecture (kstats_columns_*.c); everything here
// goes by it.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <machina/hypervisor.h>
#include <machina/objects.h>

#include "user/portable/format.h"

// A column of exits behind those for all entries and exits. The title is what the header line gets;
// the number is aligned to the title's last character, closing brackets not counted.
struct kstats_column {
    const char *title;
    const char *key; // in JSON
    uint32_t exit;   // enum mx_guest_exit
};
extern const struct kstats_column kstats_columns[];
extern const size_t kstats_column_count;

// later - earlier, field by field; counters that went back count as 0.
struct mx_guest_stats kstats_guest_difference(const struct mx_guest_stats *later,
                                              const struct mx_guest_stats *earlier);
struct mx_info_cpu kstats_cpu_difference(const struct mx_info_cpu *later,
                                         const struct mx_info_cpu *earlier);

// Guest exits: header line, and one row for the CPU (or vCPU) with that number. `first_title` is "
// cpu" or "vcpu".
void kstats_guest_header(struct text *text, const char *first_title);
void kstats_guest_row(struct text *text, uint32_t number, const struct mx_guest_stats *stats);
// {"cpu":N,"vm_entry":...}; `key` is "cpu" or "vcpu".
void kstats_guest_json(struct text *text, const char *key, uint32_t number,
                       const struct mx_guest_stats *stats);

// Scheduling. `elapsed_ns` is the time that the counters cover, for the share of idle time.
void kstats_cpu_header(struct text *text);
void kstats_cpu_row(struct text *text, const struct mx_info_cpu *cpu, uint64_t elapsed_ns);
void kstats_cpu_json(struct text *text, const struct mx_info_cpu *cpu);

// Memory, in KiB.
void kstats_memory_header(struct text *text);
void kstats_memory_row(struct text *text, const struct mx_info_memory *memory);
void kstats_memory_json(struct text *text, const struct mx_info_memory *memory);
