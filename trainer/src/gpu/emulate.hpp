// Runs kernels on the CPU, block after block, so that tests need no GPU: what C++ says of them is what is
// computed here. Each thread of a block is a fiber; barriers and what a warp does together switch between
// them. It finds wrong arithmetic, wrong places and barriers that not all threads reach; it does not find
// races, for threads take turns.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <setjmp.h>
#include <ucontext.h>
#include <utility>
#include <vector>

#define IOTA_EMULATED
#define __device__
#define __global__
#define __shared__ static
#define __launch_bounds__(threads)
#define __expf expf
#define __fmul_rn(a, b) ((a) * (b))
#define __fadd_rn(a, b) ((a) + (b))

using std::size_t;

struct Three {
    unsigned x = 1, y = 1, z = 1;
};
static Three threadIdx, blockIdx, blockDim, gridDim;

struct __nv_bfloat16 {
    uint16_t bits;
};

static inline float __bfloat162float(__nv_bfloat16 value) {
    uint32_t bits = uint32_t(value.bits) << 16;
    float wide;
    std::memcpy(&wide, &bits, 4);
    return wide;
}

// To the nearest, ties to even.
static inline __nv_bfloat16 __float2bfloat16_rn(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    if (value != value) return {0x7fff};
    return {uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}

static inline int __float_as_int(float value) {
    int bits;
    std::memcpy(&bits, &value, 4);
    return bits;
}

static inline float __int_as_float(int bits) {
    float value;
    std::memcpy(&value, &bits, 4);
    return value;
}

static inline uint16_t __bfloat16_as_ushort(__nv_bfloat16 value) { return value.bits; }
static inline int min(int a, int b) { return a < b ? a : b; }
static inline int max(int a, int b) { return a > b ? a : b; }
static inline size_t min(size_t a, size_t b) { return a < b ? a : b; }

// What a launch asks for.
alignas(16) static __nv_bfloat16 shared_tiles[1 << 15];

enum class State { Runs, AtWarp, AtBlock, Done };

struct Fiber {
    jmp_buf at;
    ucontext_t context;
    bool is_made = false;
    State state;
    std::vector<char> stack;
    // What this lane shows to its warp.
    uint64_t shown[8];
};

static std::vector<Fiber> fibers(1024);
static jmp_buf scheduler;
static unsigned running;
static void (*kernel)(void **);
static void **arguments;

static void yield_as(State state) {
    fibers[running].state = state;
    if (!_setjmp(fibers[running].at)) _longjmp(scheduler, 1);
}

static inline void __syncthreads() { yield_as(State::AtBlock); }
static inline void sync_warp() { yield_as(State::AtWarp); }

static const uint64_t *shown_by(unsigned lane) { return fibers[running / 32 * 32 + lane].shown; }

template <typename T> static T __shfl_xor_sync(uint32_t, T value, int offset) {
    std::memcpy(fibers[running].shown, &value, sizeof value);
    sync_warp();
    T other;
    std::memcpy(&other, shown_by(running % 32 ^ offset), sizeof other);
    sync_warp();
    return other;
}

static float half_of(uint64_t value, int which) {
    return __bfloat162float({uint16_t(value >> (16 * which))});
}

static void emulated_mma(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    for (int i = 0; i < 4; i++) fibers[running].shown[i] = a[i];
    for (int i = 0; i < 2; i++) fibers[running].shown[4 + i] = b[i];
    sync_warp();
    int lane = running % 32;
    for (int i = 0; i < 4; i++) {
        int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
        for (int k = 0; k < 16; k++) {
            uint64_t left = shown_by(row % 8 * 4 + k % 8 / 2)[row / 8 + k / 8 * 2];
            uint64_t right = shown_by(column * 4 + k % 8 / 2)[4 + k / 8];
            c[i] += half_of(left, k % 2) * half_of(right, k % 2);
        }
    }
    sync_warp();
}

static void emulated_ldmatrix(uint32_t (&out)[4], const __nv_bfloat16 *row, bool turned) {
    if (uintptr_t(row) % 16) std::abort();
    std::memcpy(fibers[running].shown, &row, sizeof row);
    sync_warp();
    int first = running % 32 / 4, second = running % 32 % 4 * 2;
    for (int i = 0; i < 4; i++) {
        uint32_t halves[2];
        for (int half = 0; half < 2; half++) {
            int at_row = turned ? second + half : first, at_column = turned ? first : second + half;
            const __nv_bfloat16 *from;
            std::memcpy(&from, shown_by(i * 8 + at_row), sizeof from);
            halves[half] = from[at_column].bits;
        }
        out[i] = halves[0] | halves[1] << 16;
    }
    sync_warp();
}

static void emulated_copy(__nv_bfloat16 *to, const __nv_bfloat16 *from, bool is_there) {
    if (uintptr_t(to) % 16 || (is_there && uintptr_t(from) % 16)) std::abort();
    for (int i = 0; i < 8; i++) to[i] = is_there ? from[i] : __nv_bfloat16{0};
}

// What a fiber does for as long as it lives: its part of one block after the other.
static void live() {
    for (;;) {
        kernel(arguments);
        yield_as(State::Done);
    }
}

static void resume(Fiber &fiber) {
    if (_setjmp(scheduler)) return;
    if (fiber.is_made) _longjmp(fiber.at, 1);
    // Only the first switch to a fiber asks the system; a jump does not.
    fiber.is_made = true;
    fiber.stack.resize(1 << 16);
    getcontext(&fiber.context);
    fiber.context.uc_stack = {fiber.stack.data(), 0, fiber.stack.size()};
    makecontext(&fiber.context, live, 0);
    setcontext(&fiber.context);
}

// Lets every fiber run to its next barrier, until all are done.
static void run_block(unsigned threads) {
    for (unsigned index = 0; index < threads; index++) fibers[index].state = State::Runs;
    // Blocks take their threads by turns from the first and from the last, so that what lacks a barrier
    // shows in one of them; what the block before has left is no number.
    static bool backward = false;
    backward = !backward;
    std::memset(shared_tiles, 0xff, sizeof shared_tiles);
    for (;;) {
        bool has_run = false;
        unsigned at_block = 0, done = 0;
        for (unsigned turn = 0; turn < threads; turn++) {
            running = backward ? threads - 1 - turn : turn;
            if (fibers[running].state == State::Runs) {
                has_run = true;
                threadIdx.x = running;
                resume(fibers[running]);
            }
            at_block += fibers[running].state == State::AtBlock;
            done += fibers[running].state == State::Done;
        }
        if (done == threads) return;
        if (at_block + done == threads) {
            for (unsigned index = 0; index < threads; index++)
                if (fibers[index].state == State::AtBlock) fibers[index].state = State::Runs;
            continue;
        }
        bool is_free = false;
        for (unsigned warp = 0; warp < threads; warp += 32) {
            unsigned waiting = 0;
            for (unsigned lane = warp; lane < warp + 32; lane++) waiting += fibers[lane].state == State::AtWarp;
            for (unsigned lane = warp; waiting == 32 && lane < warp + 32; lane++)
                fibers[lane].state = State::Runs;
            is_free |= waiting == 32;
        }
        if (!has_run && !is_free) {
            std::fprintf(stderr, "a kernel's barrier is not reached by all of its threads\n");
            std::abort();
        }
    }
}

template <typename... A, size_t... I>
static void call(void (*function)(A...), void **values, std::index_sequence<I...>) {
    function(*static_cast<A *>(values[I])...);
}

template <typename... A> static void call(void (*function)(A...), void **values) {
    call(function, values, std::index_sequence_for<A...>{});
}

// As cuLaunchKernel, with pointers to the arguments.
extern "C" void emulated_launch(void (*function)(void **), const uint32_t *grid, uint32_t threads, void **values) {
    if (threads % 32) std::abort();
    kernel = function, arguments = values;
    gridDim = {grid[0], grid[1], 1}, blockDim = {threads, 1, 1};
    // Fibers never move: their stacks point to themselves.
    if (threads > fibers.size()) std::abort();
    for (blockIdx.y = 0; blockIdx.y < grid[1]; blockIdx.y++)
        for (blockIdx.x = 0; blockIdx.x < grid[0]; blockIdx.x++) run_block(threads);
}
