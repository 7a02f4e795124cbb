// The groups of rows that the bench program measures.
#pragma once

// System call, channel call and reply.
void host_rows_measure(void);
// Everything with a tiny guest; of the architecture.
void guest_rows_measure(void);
// A Linux guest to user space and to its prompt: time, exits, memory.
void linux_rows_measure(void);
// What the system uses after start-up.
void memory_rows_measure(void);
