// Codes of 8 bits and fewer, byte by byte as the CPU writes them (code.rs, code/rows.rs): all exponents, then all
// rows. A warp has a row. The bytes are the same because divisions and subnormal numbers are those of IEEE 754, as nvcc
// has them unless it is told to be fast (build.rs).
#include "common.cuh"

static constexpr int GREATEST = 100;  // exponent
static constexpr int ZEROS = -128;    // exponent of a row of zeros where values are levels
static constexpr int NONE = 127;      // exponent of a row that has no code
static constexpr int SUMS = 16;       // a row's squares are summed in so many, as the CPU does

__device__ inline float power(int exponent) { return __int_as_float((127 + exponent) << 23); }

// 2^(exponent / 2).
__device__ inline float half_power(int exponent) {
    return power(exponent >> 1) * (exponent & 1 ? 1.41421356f : 1.0f);
}

// The least exponent at which a row fits into int8.
__device__ inline int fitting(float greatest) {
    if (greatest < power(-GREATEST)) return -GREATEST;
    int guess = (__float_as_int(greatest) >> 23) - 127 - 6;
    guess = min(max(guess, -GREATEST), GREATEST);
    return rintf(greatest * power(-guess)) <= 127.0f ? guess : guess + 1;
}

// What a row's root mean square is nearest to, as the exponent of a half power of two.
__device__ inline int nearest(float square) {
    if (square < power(-GREATEST)) return ZEROS;
    int exponent = (__float_as_int(square) >> 23) - 127;
    exponent += square * power(-exponent) >= 1.41421356f;
    return min(max(exponent, -GREATEST), GREATEST);
}

__device__ inline int row_bytes(int width, int bits) { return (width * bits + 7) / 8; }

extern "C" __global__ void write_code(const float *values, int step, uint8_t *code, int width, int bits,
                                      float limit, float spacing) {
    const float *row = values + (size_t)blockIdx.x * step;
    int lane = threadIdx.x, each = row_bytes(width, bits);
    float greatest = 0, beyond = 0, square = 0;
    for (int at = lane; at < width; at += WARP) {
        float size = fabsf(row[at]);
        greatest = fmaxf(greatest, size);
        if (!(size <= limit)) beyond = 1;
    }
    // Both halves of the warp sum all, and no product is fused with a sum.
    for (int at = lane % SUMS; at < width && bits < 8; at += SUMS)
        square = __fadd_rn(square, __fmul_rn(row[at], row[at]));
    for (int offset = SUMS / 2; offset > 0; offset /= 2)
        square = __fadd_rn(square, __shfl_xor_sync(0xffffffffu, square, offset));
    greatest = warp_greatest(greatest);
    beyond = warp_greatest(beyond);
    int exponent = beyond > 0 ? NONE : bits == 8 ? fitting(greatest) : nearest(square / width);
    if (lane == 0) code[blockIdx.x] = (uint8_t)exponent;
    uint8_t *bytes = code + gridDim.x + (size_t)blockIdx.x * each;
    if (exponent == NONE) return;
    if (bits == 8) {
        float scale = power(-exponent);
        for (int at = lane; at < width; at += WARP) bytes[at] = (uint8_t)(int)rintf(row[at] * scale);
        return;
    }
    float half = 1 << (bits - 1), scale = 1 / (spacing * half_power(exponent));
    for (int at = lane; at < each; at += WARP) {
        int byte = 0, first = at * (8 / bits), count = exponent == ZEROS ? 0 : min(8 / bits, width - first);
        for (int i = 0; i < count; i++) {
            float level = floorf(row[first + i] * scale);
            byte |= (int)(fminf(fmaxf(level, -half), half - 1) + half) << (i * bits);
        }
        bytes[at] = (uint8_t)byte;
    }
}

extern "C" __global__ void read_code(const uint8_t *code, float *values, int width, int bits, float spacing) {
    int exponent = (int8_t)code[blockIdx.x];
    const uint8_t *bytes = code + gridDim.x + (size_t)blockIdx.x * row_bytes(width, bits);
    float *row = values + (size_t)blockIdx.x * width;
    float low = 0.5f - (1 << (bits - 1)), scale = bits == 8 ? power(exponent) : spacing * half_power(exponent);
    for (int at = threadIdx.x; at < width; at += WARP) {
        if (bits == 8) {
            row[at] = (int8_t)bytes[at] * scale;
            continue;
        }
        int level = bytes[at * bits / 8] >> (at * bits % 8) & ((1 << bits) - 1);
        row[at] = exponent == ZEROS ? 0 : (level + low) * scale;
    }
}
