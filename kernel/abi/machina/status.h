// The one status enumeration: kernel, system calls and user programs all report with it.
//
// A call that can fail returns mx_status_t; MX_OK is zero and every error is negative. Names and
// meanings follow the Zircon vocabulary; the values are Machina's own ABI and never change.
#pragma once

#include <stdint.h>

// The attribute makes the compiler refuse a call whose status nobody looks at.
#define MX_MUST_CHECK __attribute__((warn_unused_result))

typedef int32_t mx_status_t;

enum {
    MX_OK = 0,
    MX_ERR_INTERNAL = -1,       // a bug of ours; never caused by a caller's argument
    MX_ERR_NOT_SUPPORTED = -2,  // this machine, object or build cannot do that
    MX_ERR_NO_RESOURCES = -3,   // a fixed-size table or an identifier space is full
    MX_ERR_NO_MEMORY = -4,      // no physical memory, or the job's memory limit is reached
    MX_ERR_INVALID_ARGS = -10,  // an argument is malformed, whatever the state of the system
    MX_ERR_BAD_HANDLE = -11,    // the handle value names nothing in this process
    MX_ERR_WRONG_TYPE = -12,    // the handle names an object of another type
    MX_ERR_BAD_SYSCALL = -13,   // no such system call number
    MX_ERR_OUT_OF_RANGE = -14,  // a well-formed argument outside what the object covers
    MX_ERR_BUFFER_TOO_SMALL = -15,
    MX_ERR_BAD_STATE = -20,     // the object is not in a state that allows the call
    MX_ERR_TIMED_OUT = -21,     // the deadline passed
    MX_ERR_SHOULD_WAIT = -22,   // nothing to take now; wait for the signal and try again
    MX_ERR_CANCELED = -23,      // the wait was ended by a kick, a kill or the end of the object
    MX_ERR_PEER_CLOSED = -24,   // the other end is gone
    MX_ERR_NOT_FOUND = -25,
    MX_ERR_ALREADY_EXISTS = -26, // also: overlaps something that exists
    MX_ERR_ALREADY_BOUND = -27,
    MX_ERR_UNAVAILABLE = -28,
    MX_ERR_ACCESS_DENIED = -30, // the handle lacks a right, or the caller lacks the authority
    MX_ERR_IO = -40,            // a device or its medium failed
    MX_ERR_IO_DATA_INTEGRITY = -41, // what was read is not what such data must look like
    MX_ERR_BAD_PATH = -50,
    MX_ERR_FILE_TOO_BIG = -51,
    MX_ERR_NO_SPACE = -52,
};

// The enumeration name without the prefix ("NO_MEMORY"), or "unknown status". Never NULL.
const char *mx_status_string(mx_status_t status);
