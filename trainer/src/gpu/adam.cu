// AdamW over flat buffers (adam.rs), what Muon needs beside products (muon.rs), sums of squares and conversions.
#include "common.cuh"

// One step along `share` times a gradient; the parameter's bf16 copy follows.
extern "C" __global__ void adam_step(float *params, float *m, float *v, const float *gradient, bf16 *half,
                                     size_t count, float share, float beta1, float beta2, float decay,
                                     float scale, float root) {
    size_t at = blockIdx.x * (size_t)blockDim.x + threadIdx.x;
    if (at >= count) return;
    float g = gradient[at] * share;
    float first = beta1 * m[at] + (1.0f - beta1) * g;
    float second = beta2 * v[at] + (1.0f - beta2) * g * g;
    float param = params[at] * decay - scale * first / (sqrtf(second) * root + 1e-8f);
    m[at] = first;
    v[at] = second;
    params[at] = param;
    half[at] = near(param);
}

extern "C" __global__ void accumulate(float *sums, const float *more, size_t count) {
    size_t at = blockIdx.x * (size_t)blockDim.x + threadIdx.x;
    if (at < count) sums[at] += more[at];
}

// `share` times values and `more` times others; there may be bf16 copies.
extern "C" __global__ void blend(float *values, const float *others, bf16 *half, size_t count, float share,
                                 float more) {
    size_t at = blockIdx.x * (size_t)blockDim.x + threadIdx.x;
    if (at >= count) return;
    float value = share * values[at] + more * others[at];
    values[at] = value;
    if (half) half[at] = near(value);
}

extern "C" __global__ void halve(const float *from, bf16 *to, size_t count) {
    size_t at = blockIdx.x * (size_t)blockDim.x + threadIdx.x;
    if (at < count) to[at] = near(from[at]);
}

// The sum of squares of a stretch of values for each block, in f64.
extern "C" __global__ void squares(const float *values, double *parts, size_t count, size_t stretch) {
    __shared__ double sums[256];
    size_t first = blockIdx.x * stretch, last = min(first + stretch, count);
    double sum = 0;
    for (size_t at = first + threadIdx.x; at < last; at += blockDim.x) sum += (double)values[at] * values[at];
    sums[threadIdx.x] = sum;
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    }
    if (threadIdx.x == 0) parts[blockIdx.x] = sums[0];
}
