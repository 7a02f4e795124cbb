// Transfer request blocks: what rings consist of. Little-endian, as both architectures are.
//
// eXtensible Host Controller Interface 1.2, 6.4 "Transfer Request Block (TRB)", 6.4.5 "TRB
// Completion Codes".
#pragma once

#include <stdint.h>

struct xhci_trb {
    uint64_t parameter;
    uint32_t status;
    uint32_t control;
};
_Static_assert(sizeof(struct xhci_trb) == 16, "xHCI 6.4");

#define XHCI_TRB_CYCLE          UINT32_C(1)
#define XHCI_TRB_TYPE_SHIFT     10
#define XHCI_TRB_TYPE_MASK      UINT32_C(0x3f)
#define XHCI_TRB_TYPE(type)     ((uint32_t)(type) << XHCI_TRB_TYPE_SHIFT)
#define XHCI_TRB_SLOT_SHIFT     24
#define XHCI_TRB_SLOT(slot)     ((uint32_t)(slot) << XHCI_TRB_SLOT_SHIFT)
#define XHCI_TRB_ENDPOINT_SHIFT 16
#define XHCI_TRB_ENDPOINT_MASK  UINT32_C(0x1f)
#define XHCI_TRB_ENDPOINT(dci)  ((uint32_t)(dci) << XHCI_TRB_ENDPOINT_SHIFT)

// Transfer TRBs.
#define XHCI_TRB_INTERRUPT_ON_SHORT      (UINT32_C(1) << 2)
#define XHCI_TRB_INTERRUPT_ON_COMPLETION (UINT32_C(1) << 5)
#define XHCI_TRB_IMMEDIATE_DATA          (UINT32_C(1) << 6)
#define XHCI_TRB_DIRECTION_IN            (UINT32_C(1) << 16)
#define XHCI_TRB_SETUP_NO_DATA           (UINT32_C(0) << 16)
#define XHCI_TRB_SETUP_DATA_OUT          (UINT32_C(2) << 16)
#define XHCI_TRB_SETUP_DATA_IN           (UINT32_C(3) << 16)
#define XHCI_TRB_CHAIN                   (UINT32_C(1) << 4)
#define XHCI_TRB_LENGTH_MASK             UINT32_C(0x1ffff)
#define XHCI_TRB_PACKETS_LEFT_SHIFT      17 // "TD Size", in the status
#define XHCI_TRB_PACKETS_LEFT_MAX        31u
#define XHCI_TRB_BOUNDARY                0x10000u // that a TRB's data do not cross

// Link TRB.
#define XHCI_TRB_TOGGLE_CYCLE (UINT32_C(1) << 1)

// Events.
#define XHCI_EVENT_CODE_SHIFT   24
#define XHCI_EVENT_RESIDUE_MASK UINT32_C(0xffffff)
#define XHCI_EVENT_PORT_SHIFT   24 // in the parameter

enum xhci_trb_type {
    XHCI_TRB_NORMAL = 1,
    XHCI_TRB_SETUP_STAGE = 2,
    XHCI_TRB_DATA_STAGE = 3,
    XHCI_TRB_STATUS_STAGE = 4,
    XHCI_TRB_LINK = 6,
    XHCI_TRB_ENABLE_SLOT = 9,
    XHCI_TRB_DISABLE_SLOT = 10,
    XHCI_TRB_ADDRESS_DEVICE = 11,
    XHCI_TRB_CONFIGURE_ENDPOINT = 12,
    XHCI_TRB_EVALUATE_CONTEXT = 13,
    XHCI_TRB_RESET_ENDPOINT = 14,
    XHCI_TRB_STOP_ENDPOINT = 15,
    XHCI_TRB_SET_TR_DEQUEUE = 16,
    XHCI_TRB_TRANSFER_EVENT = 32,
    XHCI_TRB_COMMAND_COMPLETION_EVENT = 33,
    XHCI_TRB_PORT_STATUS_CHANGE_EVENT = 34,
    XHCI_TRB_HOST_CONTROLLER_EVENT = 37,
};

enum xhci_completion {
    XHCI_COMPLETION_INVALID = 0,
    XHCI_COMPLETION_SUCCESS = 1,
    XHCI_COMPLETION_DATA_BUFFER_ERROR = 2,
    XHCI_COMPLETION_BABBLE = 3,
    XHCI_COMPLETION_TRANSACTION_ERROR = 4,
    XHCI_COMPLETION_TRB_ERROR = 5,
    XHCI_COMPLETION_STALL = 6,
    XHCI_COMPLETION_RESOURCE_ERROR = 7,
    XHCI_COMPLETION_BANDWIDTH_ERROR = 8,
    XHCI_COMPLETION_NO_SLOTS = 9,
    XHCI_COMPLETION_SLOT_NOT_ENABLED = 11,
    XHCI_COMPLETION_ENDPOINT_NOT_ENABLED = 12,
    XHCI_COMPLETION_SHORT_PACKET = 13,
    XHCI_COMPLETION_PARAMETER_ERROR = 17,
    XHCI_COMPLETION_CONTEXT_STATE_ERROR = 19,
    XHCI_COMPLETION_EVENT_RING_FULL = 21,
    XHCI_COMPLETION_STOPPED = 26,
    XHCI_COMPLETION_STOPPED_LENGTH_INVALID = 27,
    XHCI_COMPLETION_STOPPED_SHORT = 28,
    XHCI_COMPLETION_SPLIT_TRANSACTION = 36,
};

// A completion code in words, for messages.
const char *xhci_completion_name(uint32_t code);
