// Options and information records of the kernel objects; the calls are in syscalls.h.
#pragma once

#include <machina/types.h>

// --- address spaces and memory objects ------------------------------------------------------------

#define MX_MAP_READ     (1u << 0)
#define MX_MAP_WRITE    (1u << 1)
#define MX_MAP_EXECUTE  (1u << 2) // never together with MX_MAP_WRITE, except in a guest's space
#define MX_MAP_SPECIFIC (1u << 3) // at exactly *addr; otherwise the kernel chooses
#define MX_MAP_POPULATE (1u << 4) // allocate and map every page now
#define MX_MAP_COHERENT (1u << 5) // seen alike by all who map it so, whatever memory type a guest chose; see mx_aspace_map

// Device memory that is a picture or the like: writes may be joined and change places, and are a
// multiple faster. Without it each access goes out by itself and in order.
#define MX_VMO_PHYSICAL_COMBINED (1u << 0)

#define MX_VMO_CHILD_SLICE (1u << 0) // a window onto the parent's own pages
#define MX_VMO_CHILD_COW   (1u << 1) // reads through to the parent until a page is first written

// mx_vmo_op_range
#define MX_VMO_OP_COMMIT   1 // allocate now
#define MX_VMO_OP_DECOMMIT 2 // give back; the range reads as zeros afterwards
#define MX_VMO_OP_ZERO     3

// --- resources --------------------------------------------------------------------------------------

enum mx_resource_kind {
    MX_RESOURCE_ROOT = 0, // only to derive the others from
    MX_RESOURCE_MMIO = 1, // base, size in bytes of physical addresses
    MX_RESOURCE_IOPORT = 2,
    MX_RESOURCE_IRQ = 3, // base, count of global interrupt numbers
    MX_RESOURCE_HYPERVISOR = 4,
    MX_RESOURCE_SYSTEM = 5, // power, statistics of the whole machine, the kernel's log
    MX_RESOURCE_DMA = 6,    // to let devices reach memory
};

// What a MX_RESOURCE_IRQ resource has to cover for message-signalled interrupts, whose global
// numbers nobody chooses.
#define MX_IRQ_MESSAGES UINT64_C(0x80000000)

// --- job limits -------------------------------------------------------------------------------------

#define MX_JOB_LIMIT_MEMORY 1 // bytes, kernel memory included

// --- information (mx_object_get_info) ---------------------------------------------------------------

enum mx_info_topic {
    MX_INFO_HANDLE = 1,        // any object: struct mx_info_handle
    MX_INFO_JOB = 2,           // job: struct mx_info_job
    MX_INFO_JOB_PROCESSES = 3, // job: array of struct mx_info_process, children jobs included
    MX_INFO_PROCESS = 4,       // process: struct mx_info_process
    MX_INFO_VMO = 5,           // memory object: struct mx_info_vmo
    MX_INFO_CPUS = 6,          // system resource: array of struct mx_info_cpu, one per CPU
    MX_INFO_MEMORY = 7,        // system resource: struct mx_info_memory
    MX_INFO_GUEST_CPUS = 8,    // system resource: array of struct mx_guest_stats, one per CPU
    MX_INFO_VCPU = 9,          // vCPU: struct mx_info_vcpu
    MX_INFO_SYSTEM = 10,       // system resource: struct mx_info_system
    MX_INFO_GUEST = 11,        // guest: array of struct mx_info_vcpu, one per vCPU
    MX_INFO_THREAD = 12,       // thread: struct mx_info_thread
    MX_INFO_CONSOLE = 13,      // system resource: struct mx_info_console
    MX_INFO_FRAMEBUFFER = 14,  // system resource: struct mx_info_framebuffer; NOT_FOUND: there is none
    MX_INFO_PCI_HOSTS = 15,    // system resource: array of struct mx_info_pci_host
};

#define MX_NAME_SIZE 32 // with the terminating zero

struct mx_info_handle {
    uint64_t koid; // unique for the life of the system
    uint32_t type;
    mx_rights_t rights;
};

struct mx_info_job {
    uint64_t koid;
    uint64_t memory_used_bytes;
    uint64_t memory_limit_bytes; // UINT64_MAX without one
    uint32_t process_count;      // living, children jobs included
    uint32_t reserved;
};

struct mx_info_process {
    uint64_t koid;
    uint64_t job_koid;
    char name[MX_NAME_SIZE];
    uint64_t mapped_bytes;   // address space in use
    uint64_t resident_bytes; // allocated memory behind it; what several processes map counts for each
    uint64_t cpu_time_ns;
    uint32_t thread_count;
    uint32_t handle_count;
    int32_t exit_code;
    uint32_t is_terminated;
};

struct mx_info_thread {
    uint64_t koid;
    uint64_t cpu_time_ns;
    uint32_t last_cpu;
    uint32_t is_terminated;
    // Why it ended when the fault was its own; MX_OK otherwise.
    mx_status_t exit_status;
    uint32_t reserved;
};

struct mx_info_vmo {
    uint64_t size_bytes;
    uint64_t committed_bytes;
};

struct mx_info_cpu {
    uint64_t idle_time_ns;
    uint64_t context_switches;
    uint64_t preemptions;
    uint64_t migrations; // threads that arrived from another CPU
    uint64_t interrupts;
    uint64_t timer_interrupts;
    uint64_t ipis;
    uint64_t syscalls;
    uint32_t cpu;
    uint32_t runs_threads; // not one that did not start, or is left idle for an erratum
};

struct mx_info_memory {
    uint64_t total_bytes;
    uint64_t free_bytes;
    uint64_t kernel_image_bytes;
    uint64_t kernel_heap_bytes;
    uint64_t page_table_bytes;
    uint64_t vmo_bytes;
    uint64_t boot_image_bytes;
    uint64_t object_count; // living kernel objects
    uint64_t handle_count;
};

struct mx_info_system {
    uint32_t cpu_count;
    uint32_t hypervisor_status; // MX_OK as unsigned, or the status mx_guest_create would return
    mx_time_t boot_time_utc_s;  // UTC seconds at monotonic time zero
    char version[MX_NAME_SIZE];
    char cpu_name[64];
    char hypervisor[160]; // what is used ("SVM rev 1: NPT, ...") or why there is none
};

// The UART that the kernel's log goes to, for the process that takes it over.
struct mx_info_console {
    uint32_t resource_kind; // MX_RESOURCE_MMIO or MX_RESOURCE_IOPORT; MX_RESOURCE_ROOT: there is none
    uint32_t irq;              // MX_CONSOLE_NO_IRQ: it has to be polled
    uint64_t base, size_bytes; // of the registers
    // Of an 8250: register N is at base + N * stride_bytes, and accessed in that width.
    uint32_t stride_bytes, access_bytes;
};
_Static_assert(sizeof(struct mx_info_console) == 32, "ABI");

#define MX_CONSOLE_NO_IRQ UINT32_MAX

// The screen as firmware or a boot loader left it, for the process that draws on it.
struct mx_info_framebuffer {
    uint64_t base; // physical, of a resource MX_RESOURCE_MMIO; may not begin on a page
    uint32_t width, height, stride_pixels;
    uint32_t format; // MX_PIXELS_*
};

// Pixels of 4 bytes, little-endian, the most significant byte first and not used.
#define MX_PIXELS_XRGB 0x00040005u
#define MX_PIXELS_XBGR 0x0004000au

// A range of physical addresses in which a bridge shows devices' registers, and its addresses on
// the bus.
struct mx_pci_window {
    uint64_t base, bus_base;
    uint64_t size_bytes; // 0: firmware tells of none
};

// A PCI host bridge with memory-mapped configuration space (ECAM, PCI Express Base Specification,
// "Enhanced Configuration Access Mechanism").
struct mx_info_pci_host {
    uint64_t ecam_base; // of `first_bus`: 4 KiB for each function, 1 MiB for each bus
    uint32_t segment;
    uint8_t first_bus, last_bus;
    uint16_t reserved;
    // Where registers can be put that firmware left without an address: below and above 4 GiB on
    // the bus.
    struct mx_pci_window memory32, memory64;
};
_Static_assert(sizeof(struct mx_info_pci_host) == 64, "ABI");

// --- interrupts
// --------------------------------------------------------------------------------------

// What a device writes, and where, to raise a message-signalled interrupt.
struct mx_interrupt_message {
    uint64_t address;
    uint32_t data;
    uint32_t reserved;
};
_Static_assert(sizeof(struct mx_interrupt_message) == 16, "ABI");

// --- DMA
// ---------------------------------------------------------------------------------------------

#define MX_DMA_ADDRESSES_MAX 512 // of one mx_dma_addresses

// --- log --------------------------------------------------------------------------------------------

#define MX_LOG_LINE_SIZE 240

struct mx_log_record {
    mx_time_t timestamp;
    uint64_t process_koid; // zero for the kernel itself
    uint32_t size_bytes;   // of text, without a terminating zero
    uint32_t dropped_count; // records lost before this one because the reader was slow
    char text[MX_LOG_LINE_SIZE];
};
_Static_assert(sizeof(struct mx_log_record) == 264, "ABI");

// --- power ------------------------------------------------------------------------------------------

#define MX_POWER_OFF    1
#define MX_POWER_REBOOT 2

// --- channel calls ----------------------------------------------------------------------------------

#define MX_CHANNEL_MAX_BYTES   65536
#define MX_CHANNEL_MAX_HANDLES 32

// Request and reply of mx_channel_call. The first four bytes of both messages are the transaction id, which
// the kernel fills in; the peer copies it into its reply.
struct mx_channel_call_args {
    void *request_bytes; // the transaction id is written into the first four bytes
    mx_handle_t *request_handles;
    void *reply_bytes;
    mx_handle_t *reply_handles;
    uint32_t request_size_bytes;
    uint32_t request_handle_count;
    uint32_t reply_capacity_bytes;
    uint32_t reply_handle_capacity;
    uint32_t reply_size_bytes;   // out
    uint32_t reply_handle_count; // out
};
_Static_assert(sizeof(struct mx_channel_call_args) == 56, "ABI");

// Reply and next request of mx_channel_serve.
struct mx_channel_serve_args {
    const void *reply_bytes; // with the transaction id of the request in the first four bytes
    const mx_handle_t *reply_handles;
    void *request_bytes;
    mx_handle_t *request_handles;
    uint32_t reply_size_bytes; // 0: no reply
    uint32_t reply_handle_count;
    uint32_t request_capacity_bytes;
    uint32_t request_handle_capacity;
    uint32_t request_size_bytes;   // out
    uint32_t request_handle_count; // out
};
_Static_assert(sizeof(struct mx_channel_serve_args) == 56, "ABI");
