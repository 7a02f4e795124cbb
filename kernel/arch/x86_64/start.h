// What start.S hands to x86_boot(). Included by .S files too.
#pragma once

// In the place of a loader's magic number: started by the ZBI protocol.
#define START_ZBI_MAGIC 0x544f4f42
