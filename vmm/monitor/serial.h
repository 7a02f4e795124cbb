// The machine's serial ports: the first is the guest's terminal, the others are connected to
// nothing.
//
// Output is sent to the terminal's stream in batches, SERIAL_BATCH_NS after the first byte of one.
// All calls under the machine's lock.
#pragma once

#include "vmm/chips/uart.h"
#include "vmm/monitor/system_timer.h"
#include "vmm/terminal/terminal.h"

#define SERIAL_BATCH_NS    1000000u
#define SERIAL_BATCH_BYTES 1024u
#define SERIAL_INPUT_BYTES 32u

struct serial {
    const struct uart_ops *ops;
    void *uart; // of the type that `ops` is for
    bool has_terminal;
    struct terminal terminal;
    struct device_timer timer; // ends a batch
    bool is_batch_open;
    uint8_t input[SERIAL_INPUT_BYTES]; // read from the stream, not taken by the UART yet
    size_t input_first, input_count;
};

// Makes `uart`, which is of the type that `ops` is for and must outlive the port, with a terminal
// if `timers` is not NULL.
MX_MUST_CHECK mx_status_t serial_init(struct serial *serial, const struct uart_ops *ops, void *uart,
                                      struct irq_line irq, struct system_timer *timers);
void serial_attach(struct serial *serial, mx_handle_t stream);
// Sends what it can and gives back the stream.
mx_handle_t serial_detach(struct serial *serial);
// A packet for the terminal.
void serial_event(struct serial *serial, uint64_t key);
