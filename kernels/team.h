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

typedef struct numpool_helper {
    struct numpool_helper *after;
    long id;                    /* the system's name of the thread */
    atomic_int processor;       /* where it ran last */
    int asleep, kept_off;       /* kept_off: where it must not run until it has the lock again, or -1 */
    numpool_processors allowed; /* where it may run then */
} numpool_helper;

static struct {
    pthread_mutex_t lock; /* of all that follows; atomic members may be read without it */
    pthread_cond_t opened, left;
    numpool_shared *open;
    ptrdiff_t helpers, wanted; /* how many there are; how many all open work asks for */
    ptrdiff_t awake, asleep;   /* helpers that wait for work */
    numpool_helper *list;      /* all helpers that have begun */
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

#ifdef __linux__
static inline int numpool_processor(void) { return sched_getcpu(); }
static inline long numpool_thread(void) { return syscall(SYS_gettid); }

/* Where a thread (0: this one) may run; 0 if the system does not tell. */
static int numpool_allowed(long thread, numpool_processors *allowed)
{
    return sched_getaffinity((pid_t)thread, sizeof *allowed, allowed) == 0;
}

/* Lets a thread run where `allowed` says, but for one processor (-1: none is left out). Returns whether it is so now. */
static int numpool_allow(long thread, const numpool_processors *allowed, int but)
{
    cpu_set_t set = *allowed;
    if (but >= 0) CPU_CLR(but, &set);
    return CPU_COUNT(&set) > 0 && sched_setaffinity((pid_t)thread, sizeof set, &set) == 0;
}
#else
static inline int numpool_processor(void) { return -1; }
static inline long numpool_thread(void) { return 0; }
static int numpool_allowed(long thread, numpool_processors *allowed)
{
    (void)thread, (void)allowed;
    return 0;
}
static int numpool_allow(long thread, const numpool_processors *allowed, int but)
{
    (void)thread, (void)allowed, (void)but;
    return 0;
}
#endif

/* Waits awake until *value is not `old`, but not for long. */
static void numpool_watch(atomic_int *value, int old, atomic_int *processor)
{
    const long long start = numpool_now();
    long long spent = 0;
    while (atomic_load(value) == old && spent < NUMPOOL_AWAKE) {
        atomic_store_explicit(processor, numpool_processor(), memory_order_relaxed);
        if (spent > NUMPOOL_EAGER) sched_yield();
        spent = numpool_now() - start;
    }
}

/* A helper stays off the caller's processor. The system may wake it there (the halted processor of a virtual machine does
 * not count as idle) and leave both there for as long as a loop of calls lasts: the caller has the processor, and the
 * helper, next in its queue, does not run. So both look: the caller when it opens work, the helper when it runs. */
static void numpool_step_aside(void)
{
    const int processor = atomic_load(&numpool_team.processor);
    numpool_processors allowed;
    if (processor >= 0 && numpool_processor() == processor && numpool_allowed(0, &allowed) &&
        numpool_allow(0, &allowed, processor))
        numpool_allow(0, &allowed, -1);
}

/* The lock is held. */
static void numpool_keep_helpers_off(int processor, int sleepers_too)
{
    for (numpool_helper *helper = numpool_team.list; helper; helper = helper->after) {
        const int near = atomic_load(&helper->processor) == processor || (sleepers_too && helper->asleep);
        if (!near || helper->kept_off == processor) continue;
        if ((helper->kept_off >= 0 || numpool_allowed(helper->id, &helper->allowed)) &&
            numpool_allow(helper->id, &helper->allowed, processor))
            helper->kept_off = processor;
    }
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
    numpool_helper me = {.id = numpool_thread(), .processor = -1, .kept_off = -1};
    pthread_mutex_lock(&numpool_team.lock);
    me.after = numpool_team.list;
    numpool_team.list = &me;
    for (;;) {
        if (me.kept_off >= 0) numpool_allow(0, &me.allowed, -1);
        me.kept_off = -1;
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
            numpool_watch(&numpool_team.news, seen, &me.processor);
            pthread_mutex_lock(&numpool_team.lock);
            numpool_team.awake--;
            if (atomic_load(&numpool_team.news) == seen) {
                me.asleep = 1;
                numpool_team.asleep++;
                pthread_cond_wait(&numpool_team.opened, &numpool_team.lock);
                numpool_team.asleep--;
                me.asleep = 0;
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
    if (processor >= 0) numpool_keep_helpers_off(processor, calls > 0);
    atomic_fetch_add(&numpool_team.news, 1);
    pthread_mutex_unlock(&numpool_team.lock);
    while (calls-- > 0) pthread_cond_signal(&numpool_team.opened);
}

static void numpool_close(numpool_shared *s)
{
    int inside;
    atomic_int here;
    pthread_mutex_lock(&numpool_team.lock);
    numpool_shared **place = &numpool_team.open;
    while (*place != s) place = &(*place)->after;
    *place = s->after;
    numpool_team.wanted -= s->threads - 1;
    pthread_mutex_unlock(&numpool_team.lock);
    while ((inside = atomic_load(&s->inside)) != 0) {
        numpool_watch(&s->inside, inside, &here);
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
