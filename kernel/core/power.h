// Restarting the machine and switching it off: all ways that there are, in order. Both return only
// if none of them works. Interrupts enabled.
#pragma once

void power_off(void);
void power_reboot(void);
