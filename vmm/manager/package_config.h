// What a package on a disk, with a launch's overrides, lets its guest write.
//
// The guest's VMM reads the configuration too and acts by it, but a VMM that its guest has taken
// over says what it likes: what may be written is decided here.
#pragma once

#include "vmm/config/guest_config.h"

// `overrides`: pairs of strings. On failure `message` says what is wrong.
MX_MUST_CHECK mx_status_t package_config_read(const char *package, uint32_t override_count,
                                              const char *overrides, struct guest_config *config,
                                              char *message, size_t message_bytes);
