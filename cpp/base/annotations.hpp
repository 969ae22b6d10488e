#pragma once

// Clang thread-safety attributes; no-ops elsewhere. See cpp/README.md for the lock order.
#if defined(__clang__)
#define VCACHE_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define VCACHE_THREAD_ANNOTATION(x)
#endif

#define VCACHE_CAPABILITY(x) VCACHE_THREAD_ANNOTATION(capability(x))
#define VCACHE_SCOPED_CAPABILITY VCACHE_THREAD_ANNOTATION(scoped_lockable)
#define VCACHE_GUARDED_BY(x) VCACHE_THREAD_ANNOTATION(guarded_by(x))
#define VCACHE_PT_GUARDED_BY(x) VCACHE_THREAD_ANNOTATION(pt_guarded_by(x))
#define VCACHE_REQUIRES(...) VCACHE_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define VCACHE_EXCLUDES(...) VCACHE_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
#define VCACHE_ACQUIRE(...) VCACHE_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define VCACHE_TRY_ACQUIRE(...) VCACHE_THREAD_ANNOTATION(try_acquire_capability(__VA_ARGS__))
#define VCACHE_RELEASE(...) VCACHE_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define VCACHE_NO_THREAD_SAFETY_ANALYSIS VCACHE_THREAD_ANNOTATION(no_thread_safety_analysis)
