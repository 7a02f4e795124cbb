# The VMM, its device processes and the guest manager, built by user/user.mk's rules. Portable sources are the same
# files that the host's unit tests are made of.

VMM_TERMINAL_SRCS := vmm/terminal/terminal.c vmm/monitor/portable/backlog.c
VMM_DEVICE_SRCS := vmm/device/device_process.c vmm/memory/guest_memory.c vmm/virtio/virtqueue.c \
	vmm/virtio/device.c vmm/virtio/device_host.c vmm/virtio/protocol.c

USER_PROGRAMS += guest_manager virtio-block virtio-console virtio-rng
# Where the architecture has a machine for guests.
USER_PROGRAMS += $(if $(wildcard vmm/monitor/$(ARCH_DIR)),vmm)
USER_SRCS_vmm := $(wildcard $(addsuffix /*.c,vmm/monitor vmm/monitor/portable vmm/monitor/$(ARCH_DIR) \
	vmm/config vmm/loader vmm/loader/$(ARCH_DIR) vmm/chips vmm/memory vmm/pci vmm/$(ARCH_DIR))) \
	vmm/terminal/terminal.c vmm/virtio/virtio_pci.c vmm/virtio/protocol.c
USER_SRCS_guest_manager := $(wildcard $(addsuffix /*.c,vmm/manager vmm/manager/portable vmm/config))
USER_SRCS_virtio-block := vmm/device/virtio_block.c vmm/device/extent_backend.c vmm/virtio/block.c vmm/virtio/block_backend.c $(VMM_DEVICE_SRCS)
USER_SRCS_virtio-console := vmm/device/virtio_console.c vmm/virtio/console.c $(VMM_TERMINAL_SRCS) $(VMM_DEVICE_SRCS)
USER_SRCS_virtio-rng := vmm/device/virtio_rng.c vmm/virtio/rng.c $(VMM_DEVICE_SRCS)
