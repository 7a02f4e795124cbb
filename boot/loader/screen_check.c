// The firmware's screen; see screen_check.h.
#include "boot/loader/screen_check.h"

#define PIXEL_BYTES 4

bool screen_is_usable(const struct zbi_framebuffer *screen, uint64_t memory_bytes)
{
    if (screen->format != ZBI_PIXELS_XRGB && screen->format != ZBI_PIXELS_XBGR)
        return false;
    if (screen->width == 0 || screen->width > screen->stride_pixels ||
        screen->stride_pixels > ZBI_FRAMEBUFFER_SIDE_MAX || screen->height == 0 ||
        screen->height > ZBI_FRAMEBUFFER_SIDE_MAX)
        return false;
    const uint64_t bytes = (uint64_t)screen->stride_pixels * screen->height * PIXEL_BYTES;
    return screen->base != 0 && screen->base % PIXEL_BYTES == 0 && bytes <= memory_bytes &&
           screen->base <= UINT64_MAX - bytes;
}
