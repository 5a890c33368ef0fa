"""One place knows threads: who may set their number, and that neither it, nor the level, nor the layout changes a bit.

The operations run on data full of ties, both zeros, infinities and NaN; `bits` compares everything but a NaN's payload.
"""

import contextlib
import contextvars
import functools
import inspect
import itertools
import math
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from cases import CORE, LAYOUTS, STORAGES, bits, from_layout, special_data, to_layout

import numpool
import numpool.threads
from numpool import plan

POSIX = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="this system has no /proc")


def fresh(code, timeout=60, **environment):
    """What a new Python process prints. It is killed, with all its children, when the time is up."""
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"} | environment
    command = [sys.executable, "-X", "faulthandler", "-c", code]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, start_new_session=True, **pipes) as child:
        try:
            out, err = child.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            out, err = "", f"hangs: killed after {timeout} s"
    assert child.returncode == 0, err
    return out.strip()


# ---- scratch


def plan_of(name, *args, **kwargs):
    """The plan of a call, which is not run."""
    given = inspect.signature(getattr(numpool, name)).bind(*args, **kwargs)
    given.apply_defaults()
    arrays = [given.arguments.pop(key) for key in ("x", "grad_output", "indices") if key in given.arguments]
    del given.arguments["out"]
    return plan.CALLS[name](tuple(arrays), tuple(given.arguments.values())).plan


@pytest.mark.parametrize("level", numpool.levels())
@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "float64"])
@pytest.mark.parametrize("window", [(2, 2, 0), (3, 1, 1), (3, 2, 1), (5, 1, 2), (17, 1, 8), (12, 12, 0)], ids=str)
def test_scratch_is_enough_for_every_block(window, dtype, level):
    with numpool.use_level(level):
        for channels, layout in itertools.product((1, 3, 17, 33, 36, 40, 65, 100), LAYOUTS):
            x = np.zeros((1, 24, 60, channels) if layout == "NHWC" else (1, channels, 24, 60), dtype)
            plans = [plan_of("max_pool2d", x, *window, return_indices=indices, layout=layout) for indices in (0, 1)]
            plans += [plan_of("avg_pool2d", x, *window, layout=layout, dtype=dtype)]
            if dtype != "uint8":
                y, i = numpool.max_pool2d(x, *window, return_indices=True, layout=layout)
                plans += [plan_of("max_pool2d_backward", y, i, x.shape, *window, layout=layout)]
                plans += [plan_of("avg_pool2d_backward", y, x.shape, *window, layout=layout)]
            for made, n in itertools.product(plans, (1, 2, 3, 7, 64)):
                assert made.scratch_needed(n) <= made.scratch_bytes(n), (made.spec["operation"], layout, channels, n)


@pytest.mark.parametrize("layout, shape", [("NCDHW", (1, 16, 6, 450, 450)), ("NDHWC", (1, 6, 450, 450, 16))])
@pytest.mark.parametrize("dilation", [1, 15, 16, 200])
def test_volumes_take_little_scratch_however_far_apart_their_taps_are(layout, shape, dilation, capsys):
    x = np.broadcast_to(np.float64(0), shape)
    numpool.explain("max_pool3d", x, 3, 1, 0, (1, dilation, dilation), layout=layout)
    scratch = int(re.search(r"(\d+) bytes of scratch", capsys.readouterr().out)[1])
    assert scratch <= 160 * 1024


@pytest.mark.parametrize("level", numpool.levels())
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("side", [7, 9, 14, 28])
def test_scratch_is_enough_where_the_last_of_many_lanes_are_almost_as_many(side, dtype, level):
    # fewer lanes leave room for more rows of taps at a time
    with numpool.use_level(level):
        for channels in range(512, 4608, 40):
            x = np.empty((1, side, side, channels), dtype)
            made = plan_of("adaptive_max_pool2d", x, 1, return_indices=1, layout="NHWC")
            for n in (1, 2, 3, 7):
                assert made.scratch_needed(n) <= made.scratch_bytes(n), (channels, n)


def test_threads_that_share_lanes_leave_a_few_of_them_to_the_last():
    fresh("""import numpy as np, numpool
x = np.random.default_rng(0).integers(0, 200, (1, 6, 3000, 36))
for dtype in ("uint8", "float32"):
    for n in (1, 2, 3):
        numpool.set_num_threads(n)
        for window in ((2, 2, 0), (3, 1, 1), (3, 2, 1)):
            a = numpool.max_pool2d(x.astype(dtype), *window, layout="NHWC")
            b = numpool.max_pool2d(x.astype(dtype).transpose(0, 3, 1, 2).copy(), *window)
            assert (a == b.transpose(0, 2, 3, 1)).all()""")


# ---- the same bits


def operations(x, layout, case):
    """Every operation on one array: {name: result as (N, C, H, W)}."""
    results = {}
    for index in ("window", "plane"):
        again = case.max_args | {"layout": layout, "index": index}
        for name in ("max_pool2d", "min_pool2d"):
            y, where = getattr(numpool, name)(x, **again, return_indices=True)
            results[name, index], results[name, index, "indices"] = y, where
            if x.dtype.kind == "f":
                grad = np.nan_to_num(y, posinf=2, neginf=-3)
                results[name, index, "backward"] = getattr(numpool, name + "_backward")(grad, where, x.shape, **again)
    for name in ("max_pool2d", "min_pool2d"):
        results[name] = getattr(numpool, name)(x, **case.max_args, layout=layout)
    for counted in (True, False):
        again = case.avg_args | {"count_include_pad": counted, "layout": layout}
        results["avg_pool2d", counted] = y = numpool.avg_pool2d(x, **again)
        if x.dtype.kind == "f":
            grad = np.nan_to_num(y, posinf=2, neginf=-3)
            results["avg_pool2d", counted, "backward"] = numpool.avg_pool2d_backward(grad, x.shape, **again)
    return {name: from_layout(y, layout) for name, y in results.items()}


def assert_same_bits(got, want):
    assert got.keys() == want.keys()
    for name in want:
        assert bits(got[name]) == bits(want[name]), f"{name} differs"


def data(case, dtype):
    """Random numbers with specials sprinkled in: sums round, so their order shows, and ties meet both zeros."""
    rng = np.random.default_rng(len(case.reason))
    if np.dtype(dtype).kind != "f":
        return special_data(case.shape, dtype, rng)
    special = special_data(case.shape, dtype, rng)
    return np.where(rng.random(case.shape) < 0.3, special, (rng.standard_normal(case.shape) * 100).astype(dtype))


EVERYWHERE = [
    pytest.param(case, dtype, layout, storage, id=f"{case}-{dtype}-{layout}-{storage}")
    for case in CORE
    for dtype in ("float32", "float64", "float16", "uint8")
    for layout in LAYOUTS
    for storage in ("contiguous", "crop")
]
everywhere = pytest.mark.parametrize("case, dtype, layout, storage", EVERYWHERE)


@functools.cache
def serial(case, dtype, layout, storage="contiguous"):
    """An array and the results that one thread at the baseline gives for it."""
    x = STORAGES[storage](to_layout(data(case, dtype), layout))
    with numpool.use_level("baseline"), numpool.num_threads(1):
        return x, operations(x, layout, case)


@everywhere
def test_n_threads_agnosticism(case, dtype, layout, storage):
    x, expected = serial(case, dtype, layout, storage)
    for count in (1, 2, 3, 7):
        with numpool.use_level("baseline"), numpool.num_threads(count), numpool.threads.min_bytes_per_thread(1):
            assert_same_bits(operations(x, layout, case), expected)


@everywhere
def test_level_agnosticism(case, dtype, layout, storage):
    x, expected = serial(case, dtype, layout, storage)
    for level in numpool.levels():
        with numpool.use_level(level):
            assert_same_bits(operations(x, layout, case), expected)


@pytest.mark.parametrize("dtype", ("float32", "float64", "float16", "uint8"))
@pytest.mark.parametrize("case", CORE, ids=str)
def test_layout_agnosticism(level, case, dtype):
    x = data(case, dtype)
    first, last = (operations(to_layout(x, layout), layout, case) for layout in LAYOUTS)
    assert_same_bits(last, first)


@pytest.mark.parametrize("dtype", ("float16", "float32", "float64"))
@pytest.mark.parametrize("kernel", (3, 7))  # the lanes of one image go to one thread, and to all
def test_threads_that_scatter_to_one_image_give_the_bits_of_one(level, kernel, dtype):
    x = np.random.default_rng(kernel).standard_normal((1, 15, 15, 230)).astype(dtype)
    again = {"stride": 1, "layout": "NHWC"}
    y, where = numpool.max_pool2d(x, kernel, return_indices=True, **again)
    with numpool.num_threads(1):
        expected = bits(numpool.max_pool2d_backward(y, where, x.shape, kernel, **again))
    for count in (2, 3, 7):
        with numpool.num_threads(count), numpool.threads.min_bytes_per_thread(1):
            assert bits(numpool.max_pool2d_backward(y, where, x.shape, kernel, **again)) == expected


@pytest.mark.parametrize("dtype", ("float16", "float32", "float64"))
@pytest.mark.parametrize("window", (1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 31, 33, (1, 40), (40, 1), (2, 37), (37, 2), 40))
def test_an_average_has_the_same_bits_in_every_layout_level_and_split(level, window, dtype):
    x = np.random.default_rng(7).standard_normal((1, 5, 40, 40)).astype(dtype)
    with numpool.use_level("baseline"), numpool.num_threads(1):
        expected = bits(numpool.avg_pool2d(x, window, 1))
    with numpool.threads.min_bytes_per_thread(1), numpool.num_threads(3):
        assert bits(numpool.avg_pool2d(x, window, 1)) == expected
        last = numpool.avg_pool2d(to_layout(x, "NHWC"), window, 1, layout="NHWC")
        assert bits(from_layout(last, "NHWC")) == expected
        assert bits(numpool.avg_pool2d(STORAGES["crop"](x), window, 1)) == expected


# ---- the number of threads


def test_num_threads_nests_and_restores():
    outside = numpool.get_num_threads()
    assert isinstance(outside, int) and outside >= 1
    with numpool.num_threads(3):
        assert numpool.get_num_threads() == 3
        with numpool.num_threads(np.int64(7)):
            assert numpool.get_num_threads() == 7
        assert numpool.get_num_threads() == 3
        with contextlib.suppress(KeyError), numpool.num_threads(1):
            assert numpool.get_num_threads() == 1
            raise KeyError
        assert numpool.get_num_threads() == 3
    assert numpool.get_num_threads() == outside


@pytest.mark.parametrize("setter", ("set_num_threads", "num_threads"))
@pytest.mark.parametrize(
    "wrong, exception",
    [(0, ValueError), (-1, ValueError), (-(2**63), ValueError), (True, TypeError), (2.0, TypeError), ("2", TypeError)],
)
def test_a_wrong_number_of_threads_is_refused_and_changes_nothing(setter, wrong, exception):
    outside = numpool.get_num_threads()
    with pytest.raises(exception, match=str(wrong)):
        with getattr(numpool, setter)(wrong) or contextlib.nullcontext():
            pass
    assert numpool.get_num_threads() == outside


def test_set_num_threads_holds_in_every_thread_and_under_the_context_manager():
    code = """if True:
        from concurrent.futures import ThreadPoolExecutor
        import numpool
        numpool.set_num_threads(3)
        with numpool.num_threads(2):
            inside = numpool.get_num_threads()
        with ThreadPoolExecutor(1) as pool:
            print(numpool.get_num_threads(), inside, pool.submit(numpool.get_num_threads).result())
    """
    assert fresh(code) == "3 2 3"


def test_num_threads_belongs_to_its_context_and_its_thread():
    seen = {}
    barrier = threading.Barrier(2, timeout=30)

    def work(n):
        with numpool.num_threads(n):
            barrier.wait()
            seen[n] = numpool.get_num_threads()
            barrier.wait()

    with numpool.num_threads(5):
        workers = [threading.Thread(target=work, args=(n,)) for n in (2, 3)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert seen == {2: 2, 3: 3}
        inner = contextvars.copy_context()
        manager = numpool.num_threads(4)
        inner.run(manager.__enter__)
        assert (inner.run(numpool.get_num_threads), numpool.get_num_threads()) == (4, 5)
        inner.run(manager.__exit__, None, None, None)


def default_threads(requested):
    """What a request by the environment becomes: no more than the quota; a build without OpenMP is serial."""
    quota = numpool.threads.cpu_quota("/sys/fs/cgroup")
    most = requested if quota is None else max(1, math.ceil(quota))
    return min(requested, most) if numpool.show_config("dicts")["openmp"] else 1


@pytest.mark.parametrize("n", (1, 3))
def test_omp_num_threads_is_obeyed(n):
    got = fresh("import numpool; print(numpool.get_num_threads())", OMP_NUM_THREADS=str(n))
    assert int(got) == default_threads(n)


def test_threadpoolctl_limits_are_obeyed():
    code = """if True:
        import numpool, threadpoolctl
        outside = numpool.get_num_threads()
        with threadpoolctl.threadpool_limits(1):
            inside = numpool.get_num_threads()
        print(outside, inside, numpool.get_num_threads())
    """
    n = default_threads(2)
    assert fresh(code, OMP_NUM_THREADS="2") == f"{n} 1 {n}"


def test_an_absurd_number_of_threads_is_harmless():
    x = np.arange(200.0).reshape(1, 1, 2, 100)
    with numpool.threads.min_bytes_per_thread(1), numpool.num_threads(2**70):
        assert (numpool.max_pool2d(x, 2) == np.arange(101, 200, 2)).all()


@pytest.mark.parametrize(
    "files, quota",
    [
        ({}, None),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu.max": "200000 100000\n"}, 2.0),
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu.max": "50000 100000\n"}, 0.5),
        ({"cpu.max": ""}, None),
        ({"cpu.max": "surprise\n"}, None),
        ({"cpu.max": "100000 0\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "250000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2.5),
        ({"cpu/cpu.cfs_quota_us": "250000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "250000\n", "cpu/cpu.cfs_period_us": "0\n"}, None),
    ],
)
def test_cpu_quota_reads_both_versions_of_cgroups_and_survives_anything(tmp_path, files, quota):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    got = numpool.threads.cpu_quota(tmp_path)
    assert got == quota and type(got) is type(quota)
    assert numpool.threads.cpu_quota(str(tmp_path)) == quota


# ---- the team


@pytest.mark.parametrize("n", (1, 2, 3, 7))
@pytest.mark.parametrize("place", ("first", "last"))
def test_a_wrong_index_is_found_whichever_thread_meets_it(n, place):
    x = np.random.default_rng(0).random((8, 4, 12, 12), np.float32)
    y, where = numpool.max_pool2d(x, 2, return_indices=True)
    where.flat[0 if place == "first" else -1] = 144
    out = np.full_like(x, 5)
    with numpool.threads.min_bytes_per_thread(1), numpool.num_threads(n):
        for _ in range(20):
            with pytest.raises(ValueError, match="144"):
                numpool.max_pool2d_backward(y, where, x.shape, 2, out=out)
    assert (out == 5).all()


def test_callers_that_want_different_numbers_of_threads_share_the_team():
    x = np.random.default_rng(0).random((4, 8, 40, 40), np.float32)
    with numpool.num_threads(1):
        expected = bits(numpool.avg_pool2d(x, 3, 1, 1))

    def work(n):
        with numpool.num_threads(n):
            return all(bits(numpool.avg_pool2d(x, 3, 1, 1)) == expected for _ in range(100))

    with numpool.threads.min_bytes_per_thread(1), ThreadPoolExecutor(9) as pool:
        assert all(pool.map(work, range(1, 10)))


def test_a_call_after_idleness_does_not_wait_for_a_thread_to_wake():
    """An OpenMP region does: its threads sleep by then, and need 8 ms to come where the calls take 0.1."""
    x = np.random.default_rng(0).random((1, 64, 56, 56), np.float32)
    out = numpool.max_pool2d(x, 3, 1, 1)
    best = {1: math.inf, 2: math.inf}
    for _ in range(15):
        for n in best:
            with numpool.num_threads(n):
                time.sleep(0.02)
                start = time.perf_counter()
                numpool.max_pool2d(x, 3, 1, 1, out=out)
                best[n] = min(best[n], time.perf_counter() - start)
    assert best[2] < 2 * best[1] + 0.0005, best


@LINUX
def test_a_system_that_refuses_threads_is_harmless():
    code = """if True:
        import resource
        import numpy as np
        import numpool, numpool.threads
        x = np.random.default_rng(1).random((4, 8, 32, 32))
        with numpool.num_threads(1):
            expected = numpool.max_pool2d(x, 3, 2, 1)
        pages = int(open("/proc/self/statm").read().split()[0])
        most = pages * resource.getpagesize() + 2**22  # a thread's stack needs 2**23
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        with numpool.threads.min_bytes_per_thread(1), numpool.num_threads(3):
            print(all((numpool.max_pool2d(x, 3, 2, 1) == expected).all() for _ in range(100)))
    """
    assert fresh(code) == "True"


@LINUX
def test_the_team_leaves_signals_to_the_threads_of_the_program():
    code = """if True:
        import os, signal
        import numpy as np
        import numpool, numpool.threads
        before = set(os.listdir("/proc/self/task"))
        with numpool.threads.min_bytes_per_thread(1), numpool.num_threads(3):
            numpool.max_pool2d(np.ones((4, 8, 32, 32)), 2)
        team = set(os.listdir("/proc/self/task")) - before
        lines = [line for t in team for line in open(f"/proc/self/task/{t}/status") if line.startswith("SigBlk")]
        blocked = [int(line.split()[1], 16) >> (signal.SIGINT - 1) & 1 for line in lines]
        print(len(team), *blocked, signal.pthread_sigmask(signal.SIG_BLOCK, []))
    """
    assert fresh(code) == ("2 1 1 set()" if numpool.show_config("dicts")["openmp"] else "0 set()")


# ---- forks, many callers, the GIL

FORKS = {
    "os.fork": """
        child = os.fork()
        if child == 0:
            os._exit(0 if right() else 1)
        results = [os.waitpid(child, 0)[1] == 0]
    """,
    "a fork of a fork": """
        child = os.fork()
        if child == 0:
            grandchild = right() and os.fork()
            os._exit(0 if grandchild == 0 and right() else os.waitpid(grandchild, 0)[1] != 0 if grandchild else 1)
        results = [os.waitpid(child, 0)[1] == 0]
    """,
    "Process": """
        child = multiprocessing.get_context("fork").Process(target=lambda: sys.exit(not right()))
        child.start()
        child.join()
        results = [child.exitcode == 0]
    """,
    "Pool": """
        with multiprocessing.get_context("fork").Pool(2) as pool:
            results = pool.map(right, range(4))
    """,
    "ProcessPoolExecutor": """
        context = multiprocessing.get_context("fork")
        with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
            results = list(pool.map(right, range(4)))
    """,
    "os.fork in a thread": """
        def fork():
            child = os.fork()
            if child == 0:
                os._exit(0 if right() else 1)
            return os.waitpid(child, 0)[1] == 0
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            results = [right(), pool.submit(right).result(), pool.submit(fork).result()]
    """,
}


@POSIX
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("how", FORKS)
def test_a_forked_child_of_a_parallel_parent_pools_and_does_not_hang(how):
    code = f"""if True:
        import concurrent.futures, multiprocessing, os, sys
        import numpy as np
        import numpool, numpool.threads
        split = numpool.threads.min_bytes_per_thread(1)
        split.__enter__()
        numpool.set_num_threads(2)
        x = np.random.default_rng(1).random((4, 8, 32, 32))
        expected = numpool.max_pool2d(x, 3, 2, 1)
        def right(_=None):
            y, where = numpool.max_pool2d(x, 3, 2, 1, return_indices=True)
            numpool.max_pool2d_backward(y, where, x.shape, 3, 2, 1)
            with numpool.num_threads(3):
                return bool((numpool.max_pool2d(x, 3, 2, 1) == expected).all() and (y == expected).all())
        {FORKS[how].strip()}
        print(results and all(results), right())
    """
    assert fresh(code, timeout=30) == "True True"


def test_many_python_threads_at_once_get_right_answers():
    arrays = [np.random.default_rng(n).random((2, 3, 30 + n, 41), np.float32) for n in range(8)]

    def work(x):
        y, where = numpool.max_pool2d(x, 3, 2, 1, return_indices=True)
        gx = numpool.max_pool2d_backward(y, where, x.shape, 3, 2, 1)
        return [*map(bits, (y, where, numpool.avg_pool2d(x, 3, 1, 1), gx))]

    def many(x):
        with numpool.num_threads(2):
            return [work(x) for _ in range(25)]

    with numpool.num_threads(1):
        expected = [work(x) for x in arrays]
    with numpool.threads.min_bytes_per_thread(1), ThreadPoolExecutor(8) as pool:
        for got, right in zip(pool.map(many, arrays), expected):
            assert got == [right] * 25


@pytest.mark.parametrize("name", ("max_pool2d", "avg_pool2d", "max_pool2d with indices", "max_pool2d_backward"))
def test_the_loops_release_the_gil(name):
    """Another Python thread ticks in the middle of one long call; had the call held the GIL it could not."""
    x = np.ones((1, 8, 1024, 1024), np.float32)
    with numpool.num_threads(1):
        y, where = numpool.max_pool2d(x, 9, 1, return_indices=True)
        calls = {
            "max_pool2d": lambda: numpool.max_pool2d(x, 9, 1),
            "avg_pool2d": lambda: numpool.avg_pool2d(x, 9, 1),
            "max_pool2d with indices": lambda: numpool.max_pool2d(x, 9, 1, return_indices=True),
            "max_pool2d_backward": lambda: numpool.max_pool2d_backward(y, where, x.shape, 9, 1),
        }
        ticks, done = [], threading.Event()

        def tick():
            while not done.wait(0.0002):
                ticks.append(time.perf_counter())

        ticker = threading.Thread(target=tick)
        ticker.start()
        try:
            for _ in range(20):  # a busy machine may keep the ticker off its cores for a while
                start = time.perf_counter()
                calls[name]()
                end = time.perf_counter()
                margin = (end - start) / 4
                if any(start + margin < t < end - margin for t in ticks):
                    return
        finally:
            done.set()
            ticker.join()
    pytest.fail(f"no tick in the middle half of a call of {end - start:.3f} s")
