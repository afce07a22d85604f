// Causal attention with grouped queries on tensor cores (attention.rs; FlashAttention-2, arXiv 2307.08691).
//
// Queries are rows (B, T, H, E), keys and values (B, T, G, E). A block of four warps has 64 rows; each warp
// holds 16 of them in registers and goes through tiles of 64 others in shared memory. No sum depends on the
// order in which blocks run: keys and queries have backward kernels of their own.
#include "common.cuh"

static constexpr int TILE = 64;
static constexpr int THREADS = 128;
static constexpr float LOG2E = 1.4426950408889634f;

// What a launch is about. Rows of a head lie `queries` or `keys` values apart.
struct Shape {
    int tokens, heads, groups, each;
    float scale;
};

// Rows of tiles lie 16 bytes further apart than they are long, so that eight of them meet all banks.
template <int E> struct Tile {
    static constexpr int STEP = E + 8;
    static constexpr int SIZE = TILE * STEP;

    // Copies the rows from `first` on of a head that begins at `from`; zeros beyond its tokens and width.
    __device__ static void load(bf16 *tile, const bf16 *from, size_t step, int first, const Shape &shape) {
        constexpr int PIECES = E / 8;
        for (int at = threadIdx.x; at < TILE * PIECES; at += THREADS) {
            int row = at / PIECES, column = at % PIECES * 8;
            bool is_there = first + row < shape.tokens && column < shape.each;
            const bf16 *piece = is_there ? from + (first + row) * step + column : from;
            copy_ahead(tile + row * STEP + column, piece, is_there);
        }
    }

    // The 16 x 16 operand A at a row and column.
    __device__ static void left(uint32_t (&a)[4], const bf16 *tile, int row, int column) {
        int lane = threadIdx.x % WARP;
        load_four(a, tile + (row + lane % 16) * STEP + column + lane / 16 * 8);
    }

    // Two operands B, (16 x 8) each, of the transposed tile: columns are rows row to row + 15 of the tile.
    __device__ static void right(uint32_t (&b)[4], const bf16 *tile, int row, int column) {
        int lane = threadIdx.x % WARP;
        load_four(b, tile + (row + lane / 16 * 8 + lane % 8) * STEP + column + lane / 8 % 2 * 8);
    }

    // Two operands B of the tile as it is: their columns are column to column + 15 of the tile.
    __device__ static void right_turned(uint32_t (&b)[4], const bf16 *tile, int row, int column) {
        int lane = threadIdx.x % WARP;
        load_four_turned(b, tile + (row + lane % 16) * STEP + column + lane / 16 * 8);
    }
};

// C (16 x 64) = A B^T, where A is in registers and B's 64 rows are a tile.
template <int E>
__device__ inline void scores(float (&c)[8][4], const uint32_t (&a)[E / 16][4], const bf16 *tile) {
#pragma unroll
    for (int n = 0; n < 8; n++)
        for (int i = 0; i < 4; i++) c[n][i] = 0;
#pragma unroll
    for (int k = 0; k < E / 16; k++)
#pragma unroll
        for (int n = 0; n < 4; n++) {
            uint32_t both[4];
            Tile<E>::right(both, tile, n * 16, k * 16);
            multiply(c[2 * n], a[k], {both[0], both[1]});
            multiply(c[2 * n + 1], a[k], {both[2], both[3]});
        }
}

// C (16 x E) += A B, where A (16 x 64) is made of what a product left and B's 64 rows are a tile.
template <int E>
__device__ inline void mix(float (&c)[E / 8][4], const float (&weights)[8][4], const bf16 *tile) {
#pragma unroll
    for (int k = 0; k < 4; k++) {
        const float (&w)[4] = weights[2 * k], (&x)[4] = weights[2 * k + 1];
        uint32_t a[4] = {pair(w[0], w[1]), pair(w[2], w[3]), pair(x[0], x[1]), pair(x[2], x[3])};
#pragma unroll
        for (int n = 0; n < E / 16; n++) {
            uint32_t both[4];
            Tile<E>::right_turned(both, tile, k * 16, n * 16);
            multiply(c[2 * n], a, {both[0], both[1]});
            multiply(c[2 * n + 1], a, {both[2], both[3]});
        }
    }
}

// Operands A of a warp's 16 rows of a tile.
template <int E> __device__ inline void take(uint32_t (&a)[E / 16][4], const bf16 *tile) {
#pragma unroll
    for (int k = 0; k < E / 16; k++) Tile<E>::left(a[k], tile, threadIdx.x / WARP * 16, k * 16);
}

// Writes a warp's 16 rows, `factor` times, from row `first` of the block on.
template <int E>
__device__ inline void store(bf16 *to, size_t step, const float (&c)[E / 8][4], int first, const float (&factor)[2],
                             const Shape &shape) {
    int lane = threadIdx.x % WARP;
    for (int part = 0; part < 2; part++) {
        int row = first + threadIdx.x / WARP * 16 + lane / 4 + part * 8;
        if (row >= shape.tokens) continue;
#pragma unroll
        for (int n = 0; n < E / 8; n++) {
            int column = n * 8 + lane % 4 * 2;
            if (column >= shape.each) continue;
            uint32_t both = pair(c[n][part * 2] * factor[part], c[n][part * 2 + 1] * factor[part]);
            *reinterpret_cast<uint32_t *>(to + row * step + column) = both;
        }
    }
}

// Where a head begins in rows of queries, and its group in rows of keys.
__device__ inline size_t of_head(const Shape &shape, int head) {
    size_t sequence = head / shape.heads;
    return (sequence * shape.tokens * shape.heads + head % shape.heads) * shape.each;
}

__device__ inline size_t of_group(const Shape &shape, int group) {
    size_t sequence = group / shape.groups;
    return (sequence * shape.tokens * shape.groups + group % shape.groups) * shape.each;
}

// Values of a query, as far as the block has it, else a constant.
__device__ inline float of_row(const float *rows, int row, const Shape &shape, float otherwise) {
    return row < shape.tokens ? rows[row] : otherwise;
}

// Writes the mixed values and, for each query, log2 of its sum of exponentials, (B, H, T).
template <int E>
__device__ inline void forward(const bf16 *q, const bf16 *k, const bf16 *v, bf16 *out, float *sums, Shape shape) {
    bf16 *queries = tiles, *keys = queries + Tile<E>::SIZE, *values = keys + Tile<E>::SIZE;
    // The last blocks have most to do, and begin first.
    int first = (gridDim.x - 1 - blockIdx.x) * TILE, head = blockIdx.y;
    size_t step = (size_t)shape.heads * shape.each, narrow = (size_t)shape.groups * shape.each;
    q += of_head(shape, head), out += of_head(shape, head), sums += (size_t)head * shape.tokens;
    int group = head / (shape.heads / shape.groups);
    k += of_group(shape, group), v += of_group(shape, group);

    Tile<E>::load(queries, q, step, first, shape);
    Tile<E>::load(keys, k, narrow, 0, shape);
    int lane = threadIdx.x % WARP, row = first + threadIdx.x / WARP * 16 + lane / 4;
    uint32_t own[E / 16][4];
    float mixed[E / 8][4] = {}, most[2] = {-INFINITY, -INFINITY}, sum[2] = {};
    for (int tile = 0; tile <= first; tile += TILE) {
        wait_for_copies();
        __syncthreads();
        if (tile == 0) take<E>(own, queries);
        Tile<E>::load(values, v, narrow, tile, shape);
        float weights[8][4];
        scores<E>(weights, own, keys);
#pragma unroll
        for (int part = 0; part < 2; part++) {
            float now = most[part];
#pragma unroll
            for (int n = 0; n < 8; n++)
#pragma unroll
                for (int i = part * 2; i < part * 2 + 2; i++) {
                    int key = tile + n * 8 + lane % 4 * 2 + i % 2;
                    weights[n][i] = key <= row + part * 8 ? weights[n][i] * shape.scale * LOG2E : -INFINITY;
                    now = fmaxf(now, weights[n][i]);
                }
            for (int offset = 1; offset < 4; offset *= 2)
                now = fmaxf(now, __shfl_xor_sync(0xffffffffu, now, offset));
            float shrink = exp2f(most[part] - now);
            most[part] = now;
            sum[part] *= shrink;
#pragma unroll
            for (int n = 0; n < E / 8; n++) mixed[n][part * 2] *= shrink, mixed[n][part * 2 + 1] *= shrink;
#pragma unroll
            for (int n = 0; n < 8; n++)
#pragma unroll
                for (int i = part * 2; i < part * 2 + 2; i++) {
                    weights[n][i] = exp2f(weights[n][i] - now);
                    sum[part] += weights[n][i];
                }
        }
        wait_for_copies();
        __syncthreads();
        if (tile < first) Tile<E>::load(keys, k, narrow, tile + TILE, shape);
        mix<E>(mixed, weights, values);
        // The next tile's values are copied behind the next barrier, when all warps have done with these.
    }
    float factor[2];
    for (int part = 0; part < 2; part++) {
        for (int offset = 1; offset < 4; offset *= 2) sum[part] += __shfl_xor_sync(0xffffffffu, sum[part], offset);
        factor[part] = 1.0f / sum[part];
        if (lane % 4 == 0 && row + part * 8 < shape.tokens) sums[row + part * 8] = most[part] + log2f(sum[part]);
    }
    store<E>(out, step, mixed, first, factor, shape);
}

// The product of each query's mixed values and their gradient, (B, H, T), one warp each.
extern "C" __global__ void attention_along(const bf16 *out, const bf16 *dout, float *along, Shape shape, int count) {
    int index = blockIdx.x * (blockDim.x / WARP) + threadIdx.x / WARP, lane = threadIdx.x % WARP;
    // The same for a whole warp.
    if (index >= count) return;
    int head = index / shape.tokens, token = index % shape.tokens;
    size_t at = of_head(shape, head) + (size_t)token * shape.heads * shape.each;
    float sum = 0;
    for (int i = lane; i < shape.each; i += WARP) sum += wide(out[at + i]) * wide(dout[at + i]);
    sum = warp_sum(sum);
    if (lane == 0) along[index] = sum;
}

// The gradient of queries, by blocks of queries.
template <int E>
__device__ inline void queries_backward(const bf16 *q, const bf16 *k, const bf16 *v, const bf16 *dout,
                                        const float *sums, const float *along, bf16 *dq, Shape shape) {
    bf16 *keys = tiles, *values = keys + Tile<E>::SIZE;
    int first = (gridDim.x - 1 - blockIdx.x) * TILE, head = blockIdx.y;
    size_t step = (size_t)shape.heads * shape.each, narrow = (size_t)shape.groups * shape.each;
    q += of_head(shape, head), dout += of_head(shape, head), dq += of_head(shape, head);
    sums += (size_t)head * shape.tokens, along += (size_t)head * shape.tokens;
    int group = head / (shape.heads / shape.groups);
    k += of_group(shape, group), v += of_group(shape, group);

    uint32_t own[E / 16][4], slopes[E / 16][4];
    Tile<E>::load(keys, q, step, first, shape);
    Tile<E>::load(values, dout, step, first, shape);
    wait_for_copies();
    __syncthreads();
    take<E>(own, keys);
    take<E>(slopes, values);
    int lane = threadIdx.x % WARP, row = first + threadIdx.x / WARP * 16 + lane / 4;
    float log_sum[2], dot[2], sum[E / 8][4] = {};
    for (int part = 0; part < 2; part++) {
        log_sum[part] = of_row(sums, row + part * 8, shape, INFINITY);
        dot[part] = of_row(along, row + part * 8, shape, 0);
    }
    for (int tile = 0; tile <= first; tile += TILE) {
        __syncthreads();
        Tile<E>::load(keys, k, narrow, tile, shape);
        Tile<E>::load(values, v, narrow, tile, shape);
        wait_for_copies();
        __syncthreads();
        float weights[8][4], dweights[8][4];
        scores<E>(weights, own, keys);
        scores<E>(dweights, slopes, values);
#pragma unroll
        for (int n = 0; n < 8; n++)
#pragma unroll
            for (int i = 0; i < 4; i++) {
                int key = tile + n * 8 + lane % 4 * 2 + i % 2, part = i / 2;
                bool is_seen = key <= row + part * 8;
                float weight = is_seen ? exp2f(weights[n][i] * shape.scale * LOG2E - log_sum[part]) : 0;
                weights[n][i] = weight * (dweights[n][i] - dot[part]);
            }
        mix<E>(sum, weights, keys);
    }
    store<E>(dq, step, sum, first, {shape.scale, shape.scale}, shape);
}

// The gradients of keys and values, by blocks of keys, over all heads of their group.
template <int E>
__device__ inline void keys_backward(const bf16 *q, const bf16 *k, const bf16 *v, const bf16 *dout,
                                     const float *sums, const float *along, bf16 *dk, bf16 *dv, Shape shape) {
    bf16 *queries = tiles, *slopes = queries + Tile<E>::SIZE;
    __shared__ float log_sums[TILE], dots[TILE];
    int first = blockIdx.x * TILE, group = blockIdx.y;
    size_t step = (size_t)shape.heads * shape.each, narrow = (size_t)shape.groups * shape.each;
    k += of_group(shape, group), v += of_group(shape, group);
    dk += of_group(shape, group), dv += of_group(shape, group);

    uint32_t own[E / 16][4], other[E / 16][4];
    Tile<E>::load(queries, k, narrow, first, shape);
    Tile<E>::load(slopes, v, narrow, first, shape);
    wait_for_copies();
    __syncthreads();
    take<E>(own, queries);
    take<E>(other, slopes);
    int lane = threadIdx.x % WARP, row = first + threadIdx.x / WARP * 16 + lane / 4;
    float dkeys[E / 8][4] = {}, dvalues[E / 8][4] = {};
    int share = shape.heads / shape.groups;
    for (int head = group * share; head < (group + 1) * share; head++) {
        for (int tile = first; tile < shape.tokens; tile += TILE) {
            __syncthreads();
            Tile<E>::load(queries, q + of_head(shape, head), step, tile, shape);
            Tile<E>::load(slopes, dout + of_head(shape, head), step, tile, shape);
            if (threadIdx.x < TILE) {
                log_sums[threadIdx.x] = of_row(sums + (size_t)head * shape.tokens, tile + threadIdx.x, shape, INFINITY);
                dots[threadIdx.x] = of_row(along + (size_t)head * shape.tokens, tile + threadIdx.x, shape, 0);
            }
            wait_for_copies();
            __syncthreads();
            float weights[8][4], dweights[8][4];
            scores<E>(weights, own, queries);
#pragma unroll
            for (int n = 0; n < 8; n++)
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    int query = n * 8 + lane % 4 * 2 + i % 2;
                    bool sees = row + i / 2 * 8 <= tile + query;
                    weights[n][i] = sees ? exp2f(weights[n][i] * shape.scale * LOG2E - log_sums[query]) : 0;
                }
            mix<E>(dvalues, weights, slopes);
            scores<E>(dweights, other, slopes);
#pragma unroll
            for (int n = 0; n < 8; n++)
#pragma unroll
                for (int i = 0; i < 4; i++)
                    weights[n][i] *= dweights[n][i] - dots[n * 8 + lane % 4 * 2 + i % 2];
            mix<E>(dkeys, weights, queries);
        }
    }
    store<E>(dk, narrow, dkeys, first, {shape.scale, shape.scale}, shape);
    store<E>(dv, narrow, dvalues, first, {1.0f, 1.0f}, shape);
}

#define OF_WIDTH(E)                                                                                              \
    extern "C" __global__ void __launch_bounds__(THREADS)                                                        \
    attention_forward_##E(const bf16 *q, const bf16 *k, const bf16 *v, bf16 *out, float *sums, Shape shape) {    \
        forward<E>(q, k, v, out, sums, shape);                                                                   \
    }                                                                                                            \
    extern "C" __global__ void __launch_bounds__(THREADS)                                                        \
    attention_queries_##E(const bf16 *q, const bf16 *k, const bf16 *v, const bf16 *dout, const float *sums,      \
                          const float *along, bf16 *dq, Shape shape) {                                           \
        queries_backward<E>(q, k, v, dout, sums, along, dq, shape);                                              \
    }                                                                                                            \
    extern "C" __global__ void __launch_bounds__(THREADS)                                                        \
    attention_keys_##E(const bf16 *q, const bf16 *k, const bf16 *v, const bf16 *dout, const float *sums,         \
                       const float *along, bf16 *dk, bf16 *dv, Shape shape) {                                    \
        keys_backward<E>(q, k, v, dout, sums, along, dk, dv, shape);                                             \
    }

OF_WIDTH(32)
OF_WIDTH(64)
OF_WIDTH(128)
