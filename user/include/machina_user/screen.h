// What init gives the screen's process, besides the requests of <machina_user/console.h> over its start-up channel.
#pragma once

// Kinds of handles in its start-up message.
#define SCREEN_STARTUP_FRAMEBUFFER 256 // memory object; the arguments say where in it the picture is
#define SCREEN_STARTUP_STREAM      257 // its end of a console's stream; arg: which one, from 0

// How many consoles there are with a shell; behind them comes one with the kernel's log. Alt and F1, F2 ... choose.
#define SCREEN_SHELLS 4

// Raised by the screen on its own end of a console's stream when that is shown for the first time, so that init can
// start the shell.
#define SCREEN_SIGNAL_SHOWN (1u << 25)
