// struct arch_aspace on the host port: a record of what was mapped, 2 MiB to a table.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct job;
struct host_table;

struct arch_aspace {
    bool is_guest;
    struct job *job;
    struct host_table *tables;
};
