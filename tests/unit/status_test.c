// Names of status codes.

#include "tests/test.h"

#include <machina/status.h>

TEST(every_status_has_its_own_name)
{
    unsigned named = 0;

    for (mx_status_t status = 0; status > -100; status--) {
        if (strcmp(mx_status_string(status), "unknown status") == 0)
            continue;
        named++;
        for (mx_status_t other = status - 1; other > -100; other--)
            EXPECT_TRUE(strcmp(mx_status_string(other), "unknown status") == 0 ||
                        strcmp(mx_status_string(status), mx_status_string(other)) != 0);
    }
    EXPECT_EQ(named, 26);
    EXPECT_STR_EQ(mx_status_string(MX_ERR_NO_MEMORY), "NO_MEMORY");
    EXPECT_STR_EQ(mx_status_string(1), "unknown status");
}
