/*
 * untraced.h - included once in a program of the tests that cannot be traced: its children have
 * kmsd's list of system calls, or it changed its user. LeakSanitizer traces its own process.
 */
#ifndef KMS_T_LIB_UNTRACED_H
#define KMS_T_LIB_UNTRACED_H

#ifdef KMS_SANITIZED
const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif

#endif
