// The machine's serial ports: the first is the guest's terminal, the others are connected to
// nothing.
//
// Output is sent to the terminal's stream in batches, SERIAL_BATCH_NS after the first byte of one.
// All calls under the machine's lock.
#pragma once

#include "vmm/chips/ns16550.h"
#include "vmm/monitor/system_timer.h"
#include "vmm/terminal/terminal.h"

#define SERIAL_BATCH_NS    1000000u
#define SERIAL_BATCH_BYTES 1024u

struct serial {
    struct ns16550 uart;
    bool has_terminal;
    struct terminal terminal;
    struct device_timer timer; // ends a batch
    bool is_batch_open;
    uint8_t input[NS16550_FIFO_BYTES]; // read from the stream, not taken by the UART yet
    size_t input_first, input_count;
};

// Makes the UART, with a terminal if `timers` is not NULL.
MX_MUST_CHECK mx_status_t serial_init(struct serial *serial, struct irq_line irq,
                                      struct system_timer *timers);
void serial_attach(struct serial *serial, mx_handle_t stream);
// Sends what it can and gives back the stream.
mx_handle_t serial_detach(struct serial *serial);
// A packet for the terminal.
void serial_event(struct serial *serial, uint64_t key);
