// The first console's start-up; the rest is <arch/console.h>.
#pragma once

void console_init(void);
