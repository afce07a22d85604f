// Root-mean-square norm over rows (norm.rs), one block a row.
#include "common.cuh"

static constexpr float EPSILON = 1e-5f;

// y = scale x / sqrt(mean(x^2) + e), and one over that root.
extern "C" __global__ void norm_forward(const float *x, const float *scale, float *inverse, bf16 *out,
                                        int width) {
    const float *row = x + (size_t)blockIdx.x * width;
    bf16 *to = out + (size_t)blockIdx.x * width;
    float squares = 0;
    for (int at = threadIdx.x; at < width; at += blockDim.x) squares += row[at] * row[at];
    float root = 1.0f / sqrtf(block_sum(squares) / width + EPSILON);
    for (int at = threadIdx.x; at < width; at += blockDim.x) to[at] = near(row[at] * root * scale[at]);
    if (threadIdx.x == 0) inverse[blockIdx.x] = root;
}

// dx += inverse (scale dy - x inverse^2 mean(scale dy x)), of `rows` rows a block; the scale's gradient over
// them goes to the block's row of `parts`.
extern "C" __global__ void norm_backward(const float *x, const float *scale, const float *inverse,
                                         const float *dy, float *dx, float *parts, int count, int width,
                                         int rows) {
    float *part = parts + (size_t)blockIdx.x * width;
    int first = blockIdx.x * rows, last = min(first + rows, count);
    for (int at = threadIdx.x; at < width; at += blockDim.x) part[at] = 0;
    for (int index = first; index < last; index++) {
        const float *from = x + (size_t)index * width, *slope = dy + (size_t)index * width;
        float *to = dx + (size_t)index * width;
        float root = inverse[index], along = 0;
        for (int at = threadIdx.x; at < width; at += blockDim.x) along += from[at] * slope[at] * scale[at];
        along = block_sum(along) * root * root / width;
        for (int at = threadIdx.x; at < width; at += blockDim.x) {
            to[at] += root * (slope[at] * scale[at] - from[at] * along);
            part[at] += slope[at] * from[at] * root;
        }
    }
}

// Sums of columns of (rows, width), in order.
extern "C" __global__ void column_sums(const float *parts, float *out, int rows, int width) {
    int column = blockIdx.x * blockDim.x + threadIdx.x;
    if (column >= width) return;
    float sum = 0;
    for (int row = 0; row < rows; row++) sum += parts[(size_t)row * width + column];
    out[column] = sum;
}
