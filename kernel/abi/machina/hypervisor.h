// Guests, vCPUs, traps and guest interrupt lines: the ABI between the kernel and a VMM.
#pragma once

#include <machina/types.h>
#include <machina/arch/vcpu_state.h>

#define MX_GUEST_MAX_VCPUS 64

// Trap kinds (mx_guest_set_trap). Ranges of one space never overlap.
enum mx_trap_kind {
    MX_TRAP_BELL = 0,    // a write to guest memory queues a packet on a port; the guest goes on
    MX_TRAP_MEM = 1,     // an access to guest memory ends mx_vcpu_enter with a packet
    MX_TRAP_IO = 2,      // an access to I/O ports ends mx_vcpu_enter; only where the CPU has them
    MX_TRAP_IO_BELL = 3, // a write to I/O ports queues a packet on a port; the guest goes on
};

struct mx_trap {
    uint32_t kind;
    mx_handle_t port; // for the bells; MX_HANDLE_INVALID otherwise
    uint64_t addr;
    uint64_t size_bytes;
    uint64_t key; // comes back in every packet
};

// What ended mx_vcpu_enter with MX_OK. The VMM fills in the answer where one is named and enters again.
enum mx_vcpu_packet_type {
    MX_VCPU_PACKET_NONE = 0,     // on the first enter, or to go on without an answer
    MX_VCPU_PACKET_IO = 1,       // answer: io.data if it was an input
    MX_VCPU_PACKET_MEM = 2,      // answer: mem.data (decoded) or state and mem.exception
    MX_VCPU_PACKET_EOI = 3,      // a level-triggered vector was acknowledged; no answer
    MX_VCPU_PACKET_INTACK = 4,   // an external interrupt can be delivered; answer: intack.vector
    MX_VCPU_PACKET_SHUTDOWN = 5, // the guest ended itself (triple fault); no way on
    MX_VCPU_PACKET_POWER = 6,    // a firmware call asked for power off or reboot
};

#define MX_VCPU_NO_EXCEPTION 0xffffffffu

struct mx_packet_io {
    uint64_t data;
    uint16_t port;
    uint8_t width_bytes; // 1, 2 or 4
    bool is_input;
    // A string instruction: nothing is done yet. The VMM emulates the instruction from `state`, as for
    // MX_VCPU_PACKET_MEM without decoding; io.data is not used.
    bool is_string;
    uint8_t reserved[3];
};

struct mx_packet_mem {
    uint64_t addr; // guest-physical
    uint64_t data; // write: the value. read: the answer
    uint8_t width_bytes;
    bool is_write;
    // The access is known to be of `width_bytes` at `addr`; the answer is mem.data, for a read, and the
    // exception. Otherwise the VMM emulates the instruction at state.rip and hands back the whole state.
    bool is_decoded;
    uint8_t reserved;
    // Answer: exception to inject in place of completing the instruction, or MX_VCPU_NO_EXCEPTION.
    uint32_t exception;
    uint32_t exception_error_code;
    uint32_t exception_has_error_code;
    uint64_t fault_addr; // goes with a page fault
};

struct mx_vcpu_packet {
    uint32_t type;
    uint32_t reserved;
    uint64_t key; // of the trap
    union {
        struct mx_packet_io io;
        struct mx_packet_mem mem;
        struct {
            uint32_t vector;
        } eoi;
        struct {
            uint32_t vector;
        } intack;
        struct {
            uint32_t reason; // MX_POWER_OFF, MX_POWER_REBOOT
        } power;
        struct {
            uint32_t reason; // architecture's code, for the log
            uint32_t reserved;
            uint64_t info[2];
            char text[48];
        } shutdown;
        uint64_t words[8];
    };
    // Filled for packets whose instruction the VMM has to emulate, and taken back with the answer.
    struct mx_insn_state state;
};

// mx_vcpu_create options
#define MX_VCPU_CREATE_WAITING (1u << 0) // not running until another vCPU starts it (SIPI, CPU_ON)

// mx_vcpu_read_state and mx_vcpu_write_state
enum mx_vcpu_state_kind {
    MX_VCPU_STATE_REGISTERS = 1, // struct mx_vcpu_state
};

// mx_vcpu_interrupt: vectors of the CPU's own interrupt controller, and
#define MX_VCPU_INTERRUPT_NMI    (1u << 30)
#define MX_VCPU_INTERRUPT_EXTINT (1u << 29) // level of the external controller's line: assert
#define MX_VCPU_INTERRUPT_EXTINT_CLEAR (1u << 28) // deassert

// Where a guest interrupt line goes (mx_guest_irq_route). A line raised while it has no route stays pending
// and is delivered by the next route.
enum mx_irq_route_kind {
    MX_IRQ_ROUTE_NONE = 0,
    MX_IRQ_ROUTE_MSI = 1,  // addr, data: as a device would write them
    MX_IRQ_ROUTE_PORT = 2, // port, key: a packet for the VMM, for lines without messages
};

struct mx_irq_route {
    uint32_t kind;
    mx_handle_t port;
    uint64_t addr;
    uint64_t data;
    uint64_t key;
};

// Exits of guests, per physical CPU (MX_INFO_GUEST_CPUS) or vCPU. Every exit is counted once under vm_exits
// and once under its reason.
struct mx_guest_stats {
    uint64_t vm_entries;
    uint64_t vm_exits;
    uint64_t exits[MX_GUEST_EXIT_COUNT]; // by enum mx_guest_exit of the architecture
};

struct mx_info_vcpu {
    uint32_t id;
    uint32_t is_blocked; // idle in HLT or WFI, or waiting to be started
    uint64_t run_time_ns; // inside the guest
    struct mx_guest_stats stats;
};
