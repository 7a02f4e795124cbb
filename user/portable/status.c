// Names of status codes; the one definition of mx_status_string for user programs and the host.

#include <machina/status.h>

const char *mx_status_string(mx_status_t status)
{
    switch (status) {
    case MX_OK:
        return "OK";
    case MX_ERR_INTERNAL:
        return "INTERNAL";
    case MX_ERR_NOT_SUPPORTED:
        return "NOT_SUPPORTED";
    case MX_ERR_NO_RESOURCES:
        return "NO_RESOURCES";
    case MX_ERR_NO_MEMORY:
        return "NO_MEMORY";
    case MX_ERR_INVALID_ARGS:
        return "INVALID_ARGS";
    case MX_ERR_BAD_HANDLE:
        return "BAD_HANDLE";
    case MX_ERR_WRONG_TYPE:
        return "WRONG_TYPE";
    case MX_ERR_BAD_SYSCALL:
        return "BAD_SYSCALL";
    case MX_ERR_OUT_OF_RANGE:
        return "OUT_OF_RANGE";
    case MX_ERR_BUFFER_TOO_SMALL:
        return "BUFFER_TOO_SMALL";
    case MX_ERR_BAD_STATE:
        return "BAD_STATE";
    case MX_ERR_TIMED_OUT:
        return "TIMED_OUT";
    case MX_ERR_SHOULD_WAIT:
        return "SHOULD_WAIT";
    case MX_ERR_CANCELED:
        return "CANCELED";
    case MX_ERR_PEER_CLOSED:
        return "PEER_CLOSED";
    case MX_ERR_NOT_FOUND:
        return "NOT_FOUND";
    case MX_ERR_ALREADY_EXISTS:
        return "ALREADY_EXISTS";
    case MX_ERR_ALREADY_BOUND:
        return "ALREADY_BOUND";
    case MX_ERR_UNAVAILABLE:
        return "UNAVAILABLE";
    case MX_ERR_ACCESS_DENIED:
        return "ACCESS_DENIED";
    case MX_ERR_IO:
        return "IO";
    case MX_ERR_IO_DATA_INTEGRITY:
        return "IO_DATA_INTEGRITY";
    case MX_ERR_BAD_PATH:
        return "BAD_PATH";
    case MX_ERR_FILE_TOO_BIG:
        return "FILE_TOO_BIG";
    case MX_ERR_NO_SPACE:
        return "NO_SPACE";
    default:
        return "unknown status";
    }
}
