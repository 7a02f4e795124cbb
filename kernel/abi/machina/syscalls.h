// The system calls, as user programs see them.
//
// Each call checks the handles' types and rights before anything else: MX_ERR_BAD_HANDLE, MX_ERR_WRONG_TYPE,
// MX_ERR_ACCESS_DENIED (the rights named below are missing). A pointer that is not the caller's memory gives
// MX_ERR_INVALID_ARGS. Calls that create something: MX_ERR_NO_MEMORY (or the job's limit), MX_ERR_NO_RESOURCES (handle
// table full). These are not repeated below. A handle given away is consumed even when the call fails.
#pragma once

#include <machina/hypervisor.h>
#include <machina/objects.h>
#include <machina/types.h>

// --- handles ----------------------------------------------------------------------------------------

MX_MUST_CHECK mx_status_t mx_handle_close(mx_handle_t handle);
// `rights` must be a subset of the handle's, or MX_RIGHT_SAME: else INVALID_ARGS. Needs DUPLICATE.
MX_MUST_CHECK mx_status_t mx_handle_duplicate(mx_handle_t handle, mx_rights_t rights, mx_handle_t *out);
// As duplicate, and closes `handle`; needs no right. On error `handle` stays.
MX_MUST_CHECK mx_status_t mx_handle_replace(mx_handle_t handle, mx_rights_t rights, mx_handle_t *out);

// --- any object -------------------------------------------------------------------------------------

// Waits until one of `signals` is up or `deadline` passes (TIMED_OUT). *pending may be NULL; it is written on
// TIMED_OUT too. The wait holds on to the object: that another thread closes the handle does not end it. Needs WAIT.
MX_MUST_CHECK mx_status_t mx_object_wait_one(mx_handle_t handle, mx_signals_t signals, mx_time_t deadline,
                                             mx_signals_t *pending);
#define MX_WAIT_MANY_MAX 16
// As wait_one for up to MX_WAIT_MANY_MAX items (OUT_OF_RANGE beyond); `pending` of every item is written.
MX_MUST_CHECK mx_status_t mx_object_wait_many(struct mx_wait_item *items, uint32_t count,
                                              mx_time_t deadline);
// Queues one MX_PACKET_SIGNAL with `key` on `port` when one of `signals` is up, at once if it already is. `options`
// must be 0. NO_RESOURCES: too many such waits on the object or port. Needs WAIT on handle, WRITE on port.
MX_MUST_CHECK mx_status_t mx_object_wait_async(mx_handle_t handle, mx_handle_t port, uint64_t key,
                                               mx_signals_t signals, uint32_t options);
// Clears, then sets signals: user signals on any object, MX_SIGNAL_SIGNALED on events. Others: INVALID_ARGS.
// Needs SIGNAL.
MX_MUST_CHECK mx_status_t mx_object_signal(mx_handle_t handle, mx_signals_t clear, mx_signals_t set);
// Reads a record, or as many whole records of an array as fit; *actual_bytes (may be NULL) is what there is in
// all. BUFFER_TOO_SMALL when not even one fits, INVALID_ARGS for an unknown topic. Needs INSPECT.
MX_MUST_CHECK mx_status_t mx_object_get_info(mx_handle_t handle, uint32_t topic, void *buffer,
                                             size_t buffer_bytes, size_t *actual_bytes);

// --- jobs, processes, threads -----------------------------------------------------------------------

// A job inside `parent`; its memory counts against the parent's limit too. NO_RESOURCES: more than 16 jobs deep. BAD_STATE:
// the parent was killed. Needs MANAGE.
MX_MUST_CHECK mx_status_t mx_job_create(mx_handle_t parent, mx_handle_t *out);
// `kind` is MX_JOB_LIMIT_MEMORY. A limit below present use makes further allocation fail. Needs MANAGE.
MX_MUST_CHECK mx_status_t mx_job_set_limit(mx_handle_t job, uint32_t kind, uint64_t value);
// Ends a process, or all processes of a job and of the jobs in it; a job takes no new process afterwards.
// Returns before they are gone: wait for MX_SIGNAL_TERMINATED. Needs MANAGE.
MX_MUST_CHECK mx_status_t mx_task_kill(mx_handle_t task, int32_t exit_code);
// A handle, with all rights, of the process `koid` of the job or of the jobs in it. NOT_FOUND: there is none, or it is
// gone. Needs MANAGE.
MX_MUST_CHECK mx_status_t mx_job_open_process(mx_handle_t job, uint64_t koid, mx_handle_t *out);
// A process without threads and its empty address space. Name up to MX_NAME_SIZE - 1 bytes. Needs MANAGE on job;
// BAD_STATE if the job was killed.
MX_MUST_CHECK mx_status_t mx_process_create(mx_handle_t job, const char *name, size_t name_bytes,
                                            mx_handle_t *out_process, mx_handle_t *out_aspace);
// Starts the process's first thread at `entry` with stack pointer `stack`; `arg_handle` is moved into the process and its
// new value is the first argument, `arg` the second. Needs MANAGE on process and thread, TRANSFER on arg_handle.
// BAD_STATE if already started.
MX_MUST_CHECK mx_status_t mx_process_start(mx_handle_t process, mx_handle_t thread, uint64_t entry,
                                           uint64_t stack, mx_handle_t arg_handle, uint64_t arg);
_Noreturn void mx_process_exit(int32_t exit_code);
// Needs MANAGE on process.
MX_MUST_CHECK mx_status_t mx_thread_create(mx_handle_t process, const char *name, size_t name_bytes,
                                           mx_handle_t *out);
// Needs MANAGE. BAD_STATE if already started or the process is not running.
MX_MUST_CHECK mx_status_t mx_thread_start(mx_handle_t thread, uint64_t entry, uint64_t stack,
                                          uint64_t arg1, uint64_t arg2);
_Noreturn void mx_thread_exit(void);
mx_status_t mx_thread_yield(void);

// --- channels: messages that carry handles ----------------------------------------------------------

MX_MUST_CHECK mx_status_t mx_channel_create(mx_handle_t *out0, mx_handle_t *out1);
// Needs WRITE; TRANSFER on each handle. OUT_OF_RANGE: too many bytes or handles. PEER_CLOSED. SHOULD_WAIT: the peer has
// too many unread messages.
MX_MUST_CHECK mx_status_t mx_channel_write(mx_handle_t channel, const void *bytes, uint32_t size_bytes,
                                           const mx_handle_t *handles, uint32_t handle_count);
// Takes the oldest message. actual[0] is its size in bytes, actual[1] its handle count; `actual` may be NULL.
// BUFFER_TOO_SMALL leaves the message and fills `actual`. SHOULD_WAIT: none. PEER_CLOSED: none and never again.
// Needs READ.
MX_MUST_CHECK mx_status_t mx_channel_read(mx_handle_t channel, void *bytes, uint32_t capacity_bytes,
                                          mx_handle_t *handles, uint32_t handle_capacity,
                                          uint32_t *actual);
// Sends a request and waits for the reply with the same transaction id (the first four bytes of each). A reply that
// does not fit is dropped: BUFFER_TOO_SMALL. TIMED_OUT, PEER_CLOSED. INVALID_ARGS: a request shorter than its id.
// Needs READ and WRITE.
MX_MUST_CHECK mx_status_t mx_channel_call(mx_handle_t channel, struct mx_channel_call_args *args,
                                          mx_time_t deadline);

// The other side of mx_channel_call: writes a reply (if its size is not 0), then waits for the next message. A message that does
// not fit is dropped: BUFFER_TOO_SMALL. Errors of mx_channel_write if the reply cannot be written, and then nothing is
// awaited; TIMED_OUT, PEER_CLOSED. INVALID_ARGS: handles without a reply. Needs READ and WRITE.
MX_MUST_CHECK mx_status_t mx_channel_serve(mx_handle_t channel, struct mx_channel_serve_args *args,
                                           mx_time_t deadline);

// --- streams: bytes both ways -----------------------------------------------------------------------

MX_MUST_CHECK mx_status_t mx_stream_create(mx_handle_t *out0, mx_handle_t *out1);
// Writes what fits; *actual (may be NULL) says how much. SHOULD_WAIT: no room at all. PEER_CLOSED. Needs WRITE.
MX_MUST_CHECK mx_status_t mx_stream_write(mx_handle_t stream, const void *bytes, size_t size_bytes,
                                          size_t *actual);
// Reads what there is. SHOULD_WAIT: nothing. PEER_CLOSED: nothing and never again. Needs READ.
MX_MUST_CHECK mx_status_t mx_stream_read(mx_handle_t stream, void *bytes, size_t capacity_bytes,
                                         size_t *actual);

// --- ports: queues of packets -----------------------------------------------------------------------

MX_MUST_CHECK mx_status_t mx_port_create(mx_handle_t *out);
// Queues a packet of type MX_PACKET_USER. SHOULD_WAIT: too many are queued. Needs WRITE.
MX_MUST_CHECK mx_status_t mx_port_queue(mx_handle_t port, const struct mx_port_packet *packet);
// Takes the oldest packet. TIMED_OUT. Needs READ.
MX_MUST_CHECK mx_status_t mx_port_wait(mx_handle_t port, mx_time_t deadline, struct mx_port_packet *packet);
// Ends asynchronous waits of `handle` on this port with `key` and takes back their queued packets. NOT_FOUND if there
// was none. Needs WRITE on port.
MX_MUST_CHECK mx_status_t mx_port_cancel(mx_handle_t port, mx_handle_t handle, uint64_t key);

// --- events, timers, futexes, time ------------------------------------------------------------------

MX_MUST_CHECK mx_status_t mx_event_create(mx_handle_t *out);
MX_MUST_CHECK mx_status_t mx_timer_create(mx_handle_t *out);
// Clears MX_SIGNAL_SIGNALED and raises it at `deadline`. Needs WRITE.
MX_MUST_CHECK mx_status_t mx_timer_set(mx_handle_t timer, mx_time_t deadline);
MX_MUST_CHECK mx_status_t mx_timer_cancel(mx_handle_t timer);
// Sleeps if *address is still `expected` (else BAD_STATE) until woken or TIMED_OUT. The address must be aligned.
MX_MUST_CHECK mx_status_t mx_futex_wait(const uint32_t *address, uint32_t expected, mx_time_t deadline);
// Wakes up to `count` threads of this process; *woken may be NULL.
mx_status_t mx_futex_wake(const uint32_t *address, uint32_t count, uint32_t *woken);
mx_time_t mx_clock_get_monotonic(void);
// CANCELED only when the thread is being killed.
mx_status_t mx_nanosleep(mx_time_t deadline);

// --- memory -----------------------------------------------------------------------------------------

// Anonymous memory, zero, allocated when touched: page by page, or from 16 MiB on in blocks of 2 MiB while memory and
// limit allow. The size is rounded up to pages. OUT_OF_RANGE: too large.
MX_MUST_CHECK mx_status_t mx_vmo_create(uint64_t size_bytes, mx_handle_t *out);
// Device memory, mapped past the caches; `options`: MX_VMO_PHYSICAL_COMBINED. Needs a
// MX_RESOURCE_MMIO resource that covers the range. INVALID_ARGS: not whole pages, or unknown
// options. OUT_OF_RANGE: beyond the machine's physical addresses. NOT_SUPPORTED: some of it is RAM,
// whoever has it, or memory of firmware's run-time services.
MX_MUST_CHECK mx_status_t mx_vmo_create_physical(mx_handle_t resource, uint32_t options,
                                                 uint64_t paddr, uint64_t size_bytes,
                                                 mx_handle_t *out);
// Physically contiguous memory, allocated at once. Needs a MX_RESOURCE_MMIO resource from address 0
// on, or in its place WRITE on a DMA object (to which the memory is not attached).
MX_MUST_CHECK mx_status_t mx_vmo_create_contiguous(mx_handle_t resource, uint64_t size_bytes,
                                                   mx_handle_t *out, uint64_t *paddr);
// MX_VMO_CHILD_SLICE or MX_VMO_CHILD_COW of a page-aligned range; rights are those of the parent handle, with WRITE
// added for COW. NO_RESOURCES: COW children of COW children, more than 8 deep. Needs READ, and DUPLICATE.
MX_MUST_CHECK mx_status_t mx_vmo_create_child(mx_handle_t vmo, uint32_t options, uint64_t offset,
                                              uint64_t size_bytes, mx_handle_t *out);
// OUT_OF_RANGE: beyond the end; nothing is copied. NOT_SUPPORTED: device memory. Need READ and WRITE.
MX_MUST_CHECK mx_status_t mx_vmo_read(mx_handle_t vmo, void *buffer, uint64_t offset, size_t size_bytes);
MX_MUST_CHECK mx_status_t mx_vmo_write(mx_handle_t vmo, const void *buffer, uint64_t offset,
                                       size_t size_bytes);
// MX_VMO_OP_*, on whole pages. NOT_SUPPORTED: device or contiguous memory, decommit of a child. Needs WRITE.
MX_MUST_CHECK mx_status_t mx_vmo_op_range(mx_handle_t vmo, uint32_t op, uint64_t offset,
                                          uint64_t size_bytes);
// Maps a page-aligned range. *addr is the place with MX_MAP_SPECIFIC (ALREADY_EXISTS if something is there), and the
// result otherwise. Needs MAP and, by the options, READ, WRITE, EXECUTE on vmo; WRITE on aspace. What is written
// through mappings with MX_MAP_COHERENT is seen through others with it, also by a guest that takes the memory for a device; as
// long as there is one, neither other mappings nor system calls are sure to see what is in the memory.
MX_MUST_CHECK mx_status_t mx_aspace_map(mx_handle_t aspace, uint32_t options, mx_handle_t vmo,
                                        uint64_t vmo_offset, uint64_t size_bytes, uint64_t *addr);
// Removes every mapping in the page-aligned range, splitting those that reach beyond. NOT_FOUND: there was none.
MX_MUST_CHECK mx_status_t mx_aspace_unmap(mx_handle_t aspace, uint64_t addr, uint64_t size_bytes);
// Changes the permissions of exactly one whole mapping, within what its handle allowed. NOT_FOUND, ACCESS_DENIED.
MX_MUST_CHECK mx_status_t mx_aspace_protect(mx_handle_t aspace, uint32_t options, uint64_t addr,
                                            uint64_t size_bytes);

// --- hardware, the machine --------------------------------------------------------------------------

// The calls below that take a resource need WRITE on it, or MANAGE if it is a MX_RESOURCE_SYSTEM resource.

// A resource of `kind` for a part of what `parent` covers; from the root any. Needs MANAGE. OUT_OF_RANGE.
MX_MUST_CHECK mx_status_t mx_resource_create(mx_handle_t parent, uint32_t kind, uint64_t base,
                                             uint64_t size, mx_handle_t *out);
// A hardware interrupt by its global number. ALREADY_EXISTS: somebody has it.
MX_MUST_CHECK mx_status_t mx_interrupt_create(mx_handle_t resource, uint32_t irq, mx_handle_t *out);
// Packets instead of waits; each must be acknowledged. Needs WRITE on port. ALREADY_BOUND.
MX_MUST_CHECK mx_status_t mx_interrupt_bind(mx_handle_t interrupt, mx_handle_t port, uint64_t key);
// Waits for the interrupt, which stays masked until the next wait or acknowledgement. *timestamp may be NULL.
MX_MUST_CHECK mx_status_t mx_interrupt_wait(mx_handle_t interrupt, mx_time_t deadline, mx_time_t *timestamp);
MX_MUST_CHECK mx_status_t mx_interrupt_ack(mx_handle_t interrupt);
// A message-signalled interrupt of the PCI function `requester` (segment << 16 | bus << 8 | device
// << 3 | function), which is to write *message. Such an interrupt comes again before it was
// acknowledged if the device sends it again; what came meanwhile makes one packet. Needs a
// MX_RESOURCE_IRQ resource that covers MX_IRQ_MESSAGES. NOT_SUPPORTED: the machine has no such
// interrupts. NO_RESOURCES: all are taken.
MX_MUST_CHECK mx_status_t mx_interrupt_create_message(mx_handle_t resource, uint32_t requester,
                                                      mx_handle_t *out,
                                                      struct mx_interrupt_message *message);
// Port I/O with a MX_RESOURCE_IOPORT resource; widths 1, 2, 4. NOT_SUPPORTED where the CPU has no ports.
MX_MUST_CHECK mx_status_t mx_ioport_read(mx_handle_t resource, uint32_t port, uint32_t width_bytes,
                                         uint32_t *value);
MX_MUST_CHECK mx_status_t mx_ioport_write(mx_handle_t resource, uint32_t port, uint32_t width_bytes,
                                          uint32_t value);
// A handle onto the kernel's log; each has its own read position, which starts at the oldest record. Needs a
// MX_RESOURCE_SYSTEM resource. The handle can read and write; take rights away before passing it on.
MX_MUST_CHECK mx_status_t mx_log_create(mx_handle_t resource, mx_handle_t *out);
// One record of at most MX_LOG_LINE_SIZE bytes (OUT_OF_RANGE). Needs WRITE.
mx_status_t mx_log_write(mx_handle_t log, const char *text, size_t size_bytes);
// SHOULD_WAIT: no more for now. Needs READ.
MX_MUST_CHECK mx_status_t mx_log_read(mx_handle_t log, struct mx_log_record *record);
// MX_POWER_OFF or MX_POWER_REBOOT, with a MX_RESOURCE_SYSTEM resource; returns only on failure (NOT_SUPPORTED).
MX_MUST_CHECK mx_status_t mx_system_power(mx_handle_t resource, uint32_t action);
// Random bytes from the kernel's generator; at most 256.
MX_MUST_CHECK mx_status_t mx_random_draw(void *buffer, size_t size_bytes);

// --- memory that devices reach
// ----------------------------------------------------------------------

// The memory that the PCI function `requester` (as of mx_interrupt_create_message) may reach. The
// object keeps what is attached to it until it is detached or the last handle is closed, whoever
// attached it. Then the kernel switches the function's access to memory off (bus mastering), unless
// it is off, and only then lets go: no memory is reused while the device still writes to it,
// whoever ended. Of a function that cannot be switched off the memory stays taken. Nothing confines
// the device to it (there is no IOMMU driver). Needs a MX_RESOURCE_DMA resource. NOT_FOUND: there
// is no such function. ALREADY_EXISTS: it has one, or its last one's memory is still taken.
// NO_RESOURCES: too many functions.
MX_MUST_CHECK mx_status_t mx_dma_create(mx_handle_t resource, uint32_t requester, mx_handle_t *out);
// Attaches a memory object: its pages stay where they are (mx_vmo_op_range cannot decommit:
// BAD_STATE). *id names it in the calls below. NOT_SUPPORTED: device memory. NO_RESOURCES: too
// many. Needs WRITE on dma, READ and WRITE on vmo.
MX_MUST_CHECK mx_status_t mx_dma_attach(mx_handle_t dma, mx_handle_t vmo, uint32_t *id);
// After the device has been told to forget the memory. NOT_FOUND. Needs WRITE.
MX_MUST_CHECK mx_status_t mx_dma_detach(mx_handle_t dma, uint32_t id);
// The addresses at which the device reaches `page_count` pages from the page-aligned `offset` on,
// which are allocated if need be. NOT_FOUND: no such id. OUT_OF_RANGE: beyond the object, or more
// than MX_DMA_ADDRESSES_MAX. Needs READ.
MX_MUST_CHECK mx_status_t mx_dma_addresses(mx_handle_t dma, uint32_t id, uint64_t offset,
                                           uint32_t page_count, uint64_t *addresses);

// --- hypervisor -------------------------------------------------------------------------------------

// A guest in `job`, and the address space of its physical memory, into which memory objects are mapped (there,
// write and execute may go together). Needs a MX_RESOURCE_HYPERVISOR resource, MANAGE on job. NOT_SUPPORTED: this CPU
// cannot (the log and MX_INFO_SYSTEM say why). NO_RESOURCES: too many guests.
MX_MUST_CHECK mx_status_t mx_guest_create(mx_handle_t resource, mx_handle_t job, mx_handle_t *out_guest,
                                          mx_handle_t *out_aspace);
// ALREADY_EXISTS: overlaps a trap. OUT_OF_RANGE: empty, wraps, or beyond the space. INVALID_ARGS: unknown kind, or a port
// where none belongs. NOT_SUPPORTED: no such space on this CPU. Needs WRITE on guest, and on the port.
MX_MUST_CHECK mx_status_t mx_guest_set_trap(mx_handle_t guest, const struct mx_trap *trap);
// Removes the trap that starts at `addr` and takes back its queued packet. NOT_FOUND. Needs WRITE.
MX_MUST_CHECK mx_status_t mx_guest_clear_trap(mx_handle_t guest, uint32_t kind, uint64_t addr);
// An interrupt line of the guest, without a route. Needs MANAGE on guest.
MX_MUST_CHECK mx_status_t mx_guest_irq_create(mx_handle_t guest, mx_handle_t *out);
// Needs MANAGE on irq. INVALID_ARGS: unknown kind, or a message that no controller of the guest takes. A level that is up goes
// down where it was and up where it goes.
MX_MUST_CHECK mx_status_t mx_guest_irq_route(mx_handle_t irq, const struct mx_irq_route *route);
// Needs SIGNAL.
MX_MUST_CHECK mx_status_t mx_guest_irq_raise(mx_handle_t irq);
// The line goes down: takes back a raise that still waits for a route, and ends the level where the line goes to a level-triggered
// input. Nothing else that was raised is taken back. Needs SIGNAL.
MX_MUST_CHECK mx_status_t mx_guest_irq_lower(mx_handle_t irq);
// The state of the guest's interrupts, where its controller is a GIC (<machina/gic.h>); NOT_SUPPORTED elsewhere. `vcpu_id` chooses
// the bank of interrupts below 32 and is ignored for others. A write changes the bits of the word that are set in `mask`, for
// vCPUs that run as well. INVALID_ARGS: no such field, or `first` not aligned. OUT_OF_RANGE: no such interrupt or vCPU. Need
// MANAGE on guest.
MX_MUST_CHECK mx_status_t mx_guest_gic_read(mx_handle_t guest, uint32_t vcpu_id, uint32_t field, uint32_t first,
                                            uint32_t *value);
MX_MUST_CHECK mx_status_t mx_guest_gic_write(mx_handle_t guest, uint32_t vcpu_id, uint32_t field, uint32_t first,
                                             uint32_t value, uint32_t mask);
// Where an LPI goes and with which priority (0 to 255); pending survives. `vcpu_id` may be MX_GIC_TARGET_NONE if it is disabled.
// Errors and rights as above.
MX_MUST_CHECK mx_status_t mx_guest_gic_set_lpi(mx_handle_t guest, uint32_t intid, uint32_t vcpu_id, uint32_t priority,
                                               uint32_t is_enabled);
// GICv2: the page-aligned guest address of the CPU interface, where each vCPU finds its own. BAD_STATE: it has one.
// NOT_SUPPORTED: the guest's GIC has system registers instead. OUT_OF_RANGE. Needs MANAGE.
MX_MUST_CHECK mx_status_t mx_guest_gic_place(mx_handle_t guest, uint64_t addr);
// One message-signalled interrupt, as if a device had written `data` to `addr`. Needs SIGNAL on guest.
MX_MUST_CHECK mx_status_t mx_guest_send_msi(mx_handle_t guest, uint64_t addr, uint64_t data);
// A vCPU bound to the calling thread, which alone may enter it and reach its state. BAD_STATE: the thread has one.
// ALREADY_EXISTS: the id is taken. OUT_OF_RANGE: id too large. Needs MANAGE on guest.
MX_MUST_CHECK mx_status_t mx_vcpu_create(mx_handle_t guest, uint32_t id, uint32_t options, mx_handle_t *out);
// Runs the vCPU until the VMM has to do something; `packet` carries the answer to the last packet in and the next one
// out. BAD_STATE: not the thread that created it, or the guest ended itself. CANCELED: kicked. Needs EXECUTE.
MX_MUST_CHECK mx_status_t mx_vcpu_enter(mx_handle_t vcpu, struct mx_vcpu_packet *packet);
// Makes the present or next enter return CANCELED. Kicks do not add up. Any thread. Needs SIGNAL.
MX_MUST_CHECK mx_status_t mx_vcpu_kick(mx_handle_t vcpu);
// Any thread. OUT_OF_RANGE: not a vector this CPU takes. Needs SIGNAL.
MX_MUST_CHECK mx_status_t mx_vcpu_interrupt(mx_handle_t vcpu, uint32_t vector);
// `kind` is enum mx_vcpu_state_kind, the size must match exactly (INVALID_ARGS). Only the thread that created it
// (BAD_STATE). A state that the CPU cannot be in: INVALID_ARGS. Need READ and WRITE.
MX_MUST_CHECK mx_status_t mx_vcpu_read_state(mx_handle_t vcpu, uint32_t kind, void *buffer, size_t size);
MX_MUST_CHECK mx_status_t mx_vcpu_write_state(mx_handle_t vcpu, uint32_t kind, const void *buffer,
                                              size_t size);
