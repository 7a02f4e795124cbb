// What test_child does with guests, each as an action there.
#pragma once

// Runs a guest for ever, having said so by one message: one that spins, one that halts.
int do_guest_spin(const char *argument);
int do_guest_halt(const char *argument);
