/* A team of threads that help with calls. The caller never waits for a thread to come: it takes part after part itself,
 * whoever comes in time takes some too, and in the end it waits only for parts that somebody is working on. (An OpenMP
 * region ends when all of its threads have come: 8 to 20 ms where one sleeps, or another process holds its processor.)
 *
 *     caller   opens the work -> runs parts -> closes it -> waits until nobody is inside
 *     helper   joins open work -> runs parts -> leaves -> spins for a while -> sleeps until work is opened
 *
 * Each thread has a range of parts of its own, so that in a loop of like calls its caches hold what it meets; when
 * that is done it helps with the ranges of the others. OpenMP is asked for the number of threads only (threads.py).
 */
#ifndef NUMPOOL_TEAM_H
#define NUMPOOL_TEAM_H
#include <stddef.h>

/* Runs one part of the work. `thread` is below the number of threads, and nobody else's at that time. */
typedef int numpool_part(void *work, ptrdiff_t part, ptrdiff_t thread);

/* A cache line: what a range needs for the number of its next part. */
#define NUMPOOL_RANGE 64

#ifdef _OPENMP
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif
#include <time.h>

/* Nanoseconds that a thread waits awake, and those of them before it begins to give way to whoever wants its processor.
 * A helper that never gives way slows the caller down where the system has put both on one processor; one that gives
 * way at once loses its processor, next to busy processes, between any two calls of a loop. */
#define NUMPOOL_AWAKE 200000
#define NUMPOOL_EAGER 20000

typedef struct {
    _Alignas(NUMPOOL_RANGE) atomic_ptrdiff_t next;
} numpool_range;

typedef struct numpool_shared {
    struct numpool_shared *after; /* other open work */
    numpool_part *run;
    void *work;
    ptrdiff_t parts, threads, joined; /* joined: how many threads have come so far, the caller among them */
    numpool_range *ranges;
    int bad;
    atomic_int inside; /* helpers that have come and not left */
} numpool_shared;

#ifdef __linux__
typedef cpu_set_t numpool_processors;
#else
typedef int numpool_processors;
#endif

typedef struct numpool_sleeper {
    struct numpool_sleeper *after;
    long id;                    /* the system's name of the thread */
    int processor, kept_off;    /* where it ran; whether it must not wake there */
    numpool_processors allowed; /* where it may run else */
} numpool_sleeper;

static struct {
    pthread_mutex_t lock; /* of all that follows; atomic members may be read without it */
    pthread_cond_t opened, left;
    numpool_shared *open;
    ptrdiff_t helpers, wanted; /* how many there are; how many all open work asks for */
    ptrdiff_t awake, asleep;   /* helpers that wait for work */
    numpool_sleeper *sleepers; /* those asleep */
    ptrdiff_t waiting;         /* callers that wait for `left` */
    atomic_int news;           /* changes whenever work is opened */
    atomic_int processor;      /* of the last caller */
} numpool_team = {.lock = PTHREAD_MUTEX_INITIALIZER,
                  .opened = PTHREAD_COND_INITIALIZER,
                  .left = PTHREAD_COND_INITIALIZER};

static inline long long numpool_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* Waits awake until *value is not `old`, but not for long. */
static void numpool_watch(atomic_int *value, int old)
{
    const long long start = numpool_now();
    long long spent = 0;
    while (atomic_load(value) == old && spent < NUMPOOL_AWAKE) {
        if (spent > NUMPOOL_EAGER) sched_yield();
        spent = numpool_now() - start;
    }
}

/* A helper stays off the caller's processor. The system may leave both together for as long as a loop of calls lasts: the
 * helper gives way, and is not seen to need a processor. */
#ifdef __linux__
static inline int numpool_processor(void) { return sched_getcpu(); }
static inline long numpool_thread(void) { return syscall(SYS_gettid); }

/* Whether a thread (0: this one) is now kept off a processor; `allowed` is what it may use else. */
static int numpool_keep_off(long thread, int processor, numpool_processors *allowed)
{
    cpu_set_t others;
    if (processor < 0 || sched_getaffinity((pid_t)thread, sizeof *allowed, allowed) != 0) return 0;
    others = *allowed;
    CPU_CLR(processor, &others);
    return CPU_COUNT(&others) > 0 && sched_setaffinity((pid_t)thread, sizeof others, &others) == 0;
}
static void numpool_allow(const numpool_processors *allowed) { sched_setaffinity(0, sizeof *allowed, allowed); }
#else
static inline int numpool_processor(void) { return -1; }
static inline long numpool_thread(void) { return 0; }
static int numpool_keep_off(long thread, int processor, numpool_processors *allowed)
{
    (void)thread, (void)processor, (void)allowed;
    return 0;
}
static void numpool_allow(const numpool_processors *allowed) { (void)allowed; }
#endif

static void numpool_step_aside(void)
{
    const int processor = atomic_load(&numpool_team.processor);
    numpool_processors allowed;
    if (numpool_processor() == processor && numpool_keep_off(0, processor, &allowed)) numpool_allow(&allowed);
}

/* Sleeps until work is opened; the lock is held. */
static void numpool_sleep(void)
{
    numpool_sleeper me = {.after = numpool_team.sleepers, .id = numpool_thread(), .processor = numpool_processor()};
    numpool_team.sleepers = &me;
    numpool_team.asleep++;
    pthread_cond_wait(&numpool_team.opened, &numpool_team.lock);
    numpool_team.asleep--;
    numpool_sleeper **place = &numpool_team.sleepers;
    while (*place != &me) place = &(*place)->after;
    *place = me.after;
    if (me.kept_off) numpool_allow(&me.allowed);
}

static int numpool_run_parts(const numpool_shared *s, ptrdiff_t thread)
{
    int bad = 0;
    for (ptrdiff_t i = 0; i < s->threads; i++) {
        const ptrdiff_t range = (thread + i) % s->threads, last = (range + 1) * s->parts / s->threads;
        ptrdiff_t part;
        while ((part = atomic_fetch_add(&s->ranges[range].next, 1)) < last) bad |= s->run(s->work, part, thread);
    }
    return bad;
}

static void *numpool_help(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&numpool_team.lock);
    for (;;) {
        numpool_shared *s = numpool_team.open;
        while (s && s->joined == s->threads) s = s->after;
        if (s) {
            const ptrdiff_t thread = s->joined++;
            atomic_fetch_add(&s->inside, 1);
            pthread_mutex_unlock(&numpool_team.lock);
            numpool_step_aside();
            const int bad = numpool_run_parts(s, thread);
            pthread_mutex_lock(&numpool_team.lock);
            s->bad |= bad;
            if (atomic_fetch_sub(&s->inside, 1) == 1 && numpool_team.waiting) /* the caller may be gone from here on */
                pthread_cond_broadcast(&numpool_team.left);
        } else {
            const int seen = atomic_load(&numpool_team.news);
            numpool_team.awake++;
            pthread_mutex_unlock(&numpool_team.lock);
            numpool_step_aside();
            numpool_watch(&numpool_team.news, seen);
            pthread_mutex_lock(&numpool_team.lock);
            numpool_team.awake--;
            if (atomic_load(&numpool_team.news) == seen) {
                numpool_sleep();
            }
        }
    }
    return NULL;
}

/* As many helpers as are wanted, or as the system allows. They leave signals to the other threads. */
static void numpool_start_helpers(void)
{
    sigset_t all, before;
    pthread_t id;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (; numpool_team.helpers < numpool_team.wanted; numpool_team.helpers++) {
        if (pthread_create(&id, NULL, numpool_help, NULL) != 0) break;
        pthread_detach(id);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void numpool_open(numpool_shared *s)
{
    pthread_mutex_lock(&numpool_team.lock);
    s->after = numpool_team.open;
    numpool_team.open = s;
    numpool_team.wanted += s->threads - 1;
    ptrdiff_t calls = s->threads - 1 - numpool_team.awake;
    if (calls > numpool_team.asleep) calls = numpool_team.asleep;
    if (numpool_team.helpers < numpool_team.wanted) numpool_start_helpers();
    const int processor = numpool_processor();
    atomic_store(&numpool_team.processor, processor);
    for (numpool_sleeper *helper = calls > 0 ? numpool_team.sleepers : NULL; helper; helper = helper->after)
        if (helper->processor == processor && !helper->kept_off)
            helper->kept_off = numpool_keep_off(helper->id, processor, &helper->allowed);
    atomic_fetch_add(&numpool_team.news, 1);
    pthread_mutex_unlock(&numpool_team.lock);
    while (calls-- > 0) pthread_cond_signal(&numpool_team.opened);
}

static void numpool_close(numpool_shared *s)
{
    int inside;
    pthread_mutex_lock(&numpool_team.lock);
    numpool_shared **place = &numpool_team.open;
    while (*place != s) place = &(*place)->after;
    *place = s->after;
    numpool_team.wanted -= s->threads - 1;
    pthread_mutex_unlock(&numpool_team.lock);
    while ((inside = atomic_load(&s->inside)) != 0) {
        numpool_watch(&s->inside, inside);
        if (atomic_load(&s->inside) != inside) continue;
        pthread_mutex_lock(&numpool_team.lock);
        numpool_team.waiting++;
        while (atomic_load(&s->inside)) pthread_cond_wait(&numpool_team.left, &numpool_team.lock);
        numpool_team.waiting--;
        pthread_mutex_unlock(&numpool_team.lock);
    }
}
#endif

/* Parts [0, parts) of the work, by at most so many threads. `memory`: NUMPOOL_RANGE bytes a thread, aligned alike.
 * Returns what the parts returned, joined by |. */
static int numpool_share(numpool_part *run, void *work, ptrdiff_t parts, ptrdiff_t threads, void *memory)
{
#ifdef _OPENMP
    if (threads > 1) {
        numpool_shared s = {
            .run = run, .work = work, .parts = parts, .threads = threads, .joined = 1, .ranges = memory
        };
        for (ptrdiff_t i = 0; i < threads; i++) atomic_init(&s.ranges[i].next, i * parts / threads);
        numpool_open(&s);
        const int bad = numpool_run_parts(&s, 0);
        numpool_close(&s);
        return bad | s.bad;
    }
#endif
    (void)threads, (void)memory;
    int bad = 0;
    for (ptrdiff_t part = 0; part < parts; part++) bad |= run(work, part, 0);
    return bad;
}
#endif
