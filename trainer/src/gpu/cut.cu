// Both ends of a stage: tables of tokens, and codes beside tokens (cpu.rs).
#include "common.cuh"

// Rows of a table (V, width), `span` of them beside each other, into rows of `step` values.
extern "C" __global__ void embed(const float *table, const uint32_t *rows, float *out, int width, int step,
                                 int span) {
    const float *from = table + (size_t)rows[blockIdx.x] * width;
    float *to = out + (size_t)(blockIdx.x / span) * step + blockIdx.x % span * width;
    for (int at = threadIdx.x; at < width; at += blockDim.x) to[at] = from[at];
}

// The gradient of a table: block i sums what read row `found[i]`, which is `order[starts[i]..starts[i+1]]`.
extern "C" __global__ void embed_backward(const float *dx, const uint32_t *found, const uint32_t *starts,
                                          const uint32_t *order, float *dtable, int width, int step,
                                          int span) {
    float *to = dtable + (size_t)found[blockIdx.x] * width;
    for (int at = threadIdx.x; at < width; at += blockDim.x) {
        float sum = 0;
        for (uint32_t index = starts[blockIdx.x]; index < starts[blockIdx.x + 1]; index++)
            sum += dx[(size_t)(order[index] / span) * step + order[index] % span * width + at];
        to[at] = sum;
    }
}

// Adds (rows, width) of bf16 to rows of other lengths.
extern "C" __global__ void add_half_rows(const bf16 *from, int from_step, float *to, int to_step, int width) {
    from += (size_t)blockIdx.x * from_step;
    to += (size_t)blockIdx.x * to_step;
    for (int at = threadIdx.x; at < width; at += blockDim.x) to[at] += wide(from[at]);
}

// Copies (rows, width) between rows of other lengths, or adds them.
extern "C" __global__ void copy_rows(const float *from, int from_step, float *to, int to_step, int width,
                                     int adds) {
    from += (size_t)blockIdx.x * from_step;
    to += (size_t)blockIdx.x * to_step;
    for (int at = threadIdx.x; at < width; at += blockDim.x) to[at] = adds ? to[at] + from[at] : from[at];
}
