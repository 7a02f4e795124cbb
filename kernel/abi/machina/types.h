// Scalar types and constants of the public ABI.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <machina/status.h>

// A handle: a process's name for a kernel object together with rights on it. Never zero when valid.
typedef uint32_t mx_handle_t;
#define MX_HANDLE_INVALID ((mx_handle_t)0)

// Nanoseconds of the monotonic clock, which starts at zero at power-on. Deadlines are absolute.
typedef int64_t mx_time_t;
#define MX_TIME_INFINITE INT64_MAX

#define MX_SEC(n)  ((mx_time_t)(n)*1000000000)
#define MX_MSEC(n) ((mx_time_t)(n)*1000000)
#define MX_USEC(n) ((mx_time_t)(n)*1000)

#define MX_PAGE_SHIFT 12
#define MX_PAGE_SIZE  ((size_t)1 << MX_PAGE_SHIFT)

// What a handle allows; see each call for what it needs.
typedef uint32_t mx_rights_t;
#define MX_RIGHT_DUPLICATE (1u << 0)
#define MX_RIGHT_TRANSFER  (1u << 1) // send it through a channel
#define MX_RIGHT_READ      (1u << 2)
#define MX_RIGHT_WRITE     (1u << 3)
#define MX_RIGHT_EXECUTE   (1u << 4) // map memory executable; enter a vCPU
#define MX_RIGHT_MAP       (1u << 5)
#define MX_RIGHT_SIGNAL    (1u << 6) // raise: signals, events, interrupt lines, vCPU kicks
#define MX_RIGHT_WAIT      (1u << 7)
#define MX_RIGHT_INSPECT   (1u << 8) // read information about the object
#define MX_RIGHT_MANAGE    (1u << 9) // create things inside it, kill it, set its limits
#define MX_RIGHT_SAME      (1u << 31) // for duplicate and replace: keep the rights there are
#define MX_RIGHTS_ALL      ((1u << 10) - 1)

// Object types, as mx_object_get_info reports them.
enum mx_object_type {
    MX_OBJECT_NONE = 0,
    MX_OBJECT_JOB = 1,
    MX_OBJECT_PROCESS = 2,
    MX_OBJECT_THREAD = 3,
    MX_OBJECT_CHANNEL = 4,
    MX_OBJECT_STREAM = 5,
    MX_OBJECT_PORT = 6,
    MX_OBJECT_EVENT = 7,
    MX_OBJECT_TIMER = 8,
    MX_OBJECT_VMO = 9,
    MX_OBJECT_ASPACE = 10,
    MX_OBJECT_INTERRUPT = 11,
    MX_OBJECT_RESOURCE = 12,
    MX_OBJECT_LOG = 13,
    MX_OBJECT_GUEST = 14,
    MX_OBJECT_VCPU = 15,
    MX_OBJECT_GUEST_IRQ = 16,
    MX_OBJECT_DMA = 17,
};

// Signals: the state of an object that can be waited for.
typedef uint32_t mx_signals_t;
#define MX_SIGNAL_READABLE    (1u << 0) // channel, stream, log: something to read; port: a packet
#define MX_SIGNAL_WRITABLE    (1u << 1) // stream: room to write
#define MX_SIGNAL_PEER_CLOSED (1u << 2) // channel, stream
#define MX_SIGNAL_SIGNALED    (1u << 3) // event, timer, interrupt
#define MX_SIGNAL_TERMINATED  (1u << 4) // job (has no processes left), process, thread
#define MX_SIGNAL_USER_MASK   0xff000000u // set and cleared by mx_object_signal on any object

struct mx_wait_item {
    mx_handle_t handle;
    mx_signals_t waitfor;
    mx_signals_t pending; // out
};
_Static_assert(sizeof(struct mx_wait_item) == 12, "ABI");

// One packet of a port.
enum mx_packet_type {
    MX_PACKET_USER = 0,      // queued by mx_port_queue
    MX_PACKET_SIGNAL = 1,    // an asynchronous wait came true; one shot
    MX_PACKET_INTERRUPT = 2, // a bound interrupt fired
    MX_PACKET_GUEST_BELL = 3,
    MX_PACKET_GUEST_IRQ = 4, // a guest interrupt line routed to this port was raised
};

struct mx_port_packet {
    uint64_t key;
    uint32_t type;
    mx_status_t status;
    union {
        uint64_t user[4];
        struct {
            mx_signals_t observed; // all signals that were up
            mx_signals_t trigger;  // those waited for
        } signal;
        struct {
            mx_time_t timestamp;
        } interrupt;
        struct {
            uint64_t addr;  // of the last access, relative to nothing: a guest address or port
            uint64_t value; // last value written; meaningful where the hardware tells it (port I/O)
            uint64_t count; // accesses since the last packet of this trap; at least 1
        } bell;
    };
};
_Static_assert(sizeof(struct mx_port_packet) == 48, "ABI");
