// Rotary positions (rope.rs), in place, over rows of heads (B, T, H, E).
#include "common.cuh"

// Turns each pair (i, i + E / 2) of each head by its token's angle, backwards where `sign` is -1.
extern "C" __global__ void rope(bf16 *rows, const float *cosines, const float *sines, size_t pairs, int tokens,
                                int heads, int half, float sign) {
    size_t at = blockIdx.x * (size_t)blockDim.x + threadIdx.x;
    if (at >= pairs) return;
    int pair = at % half;
    size_t head = at / half;
    int token = head / heads % tokens;
    bf16 *first = rows + head * 2 * half + pair, *second = first + half;
    float cosine = cosines[(size_t)token * half + pair], sine = sign * sines[(size_t)token * half + pair];
    float a = wide(*first), b = wide(*second);
    *first = near(a * cosine - b * sine);
    *second = near(b * cosine + a * sine);
}
