// assert: prints where and ends the program. Only for what a bug of our own can make false.
#pragma once

_Noreturn void assert_failed(const char *file, int line, const char *condition);

#define assert(condition) ((condition) ? (void)0 : assert_failed(__FILE__, __LINE__, #condition))
#define static_assert _Static_assert
