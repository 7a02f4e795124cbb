// Registers and messages, for the files of the driver.
#pragma once

#include "user/drivers/usb/portable/xhci.h"

#define XHCI_LOG_LINE_BYTES 160

uint32_t xhci_read(const struct xhci *xhci, uint32_t offset);
void xhci_write(const struct xhci *xhci, uint32_t offset, uint32_t value);
// As two halves, the low one first.
void xhci_write64(const struct xhci *xhci, uint32_t offset, uint64_t value);
mx_time_t xhci_now(const struct xhci *xhci);

void xhci_log(const struct xhci *xhci, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// Has a controller that has failed use no memory any more; false: it may go on.
bool xhci_stop(struct xhci *xhci);

// Waits in small steps until the bits of `mask` in a register are `value`. TIMED_OUT; IO: the
// controller has gone.
MX_MUST_CHECK mx_status_t xhci_await_register(const struct xhci *xhci, uint32_t offset,
                                              uint32_t mask, uint32_t value, mx_time_t timeout);
