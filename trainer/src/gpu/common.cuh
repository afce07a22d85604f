// What all kernels share: bf16, sums over a block, tiles in shared memory and products on tensor cores.
#pragma once

#ifndef IOTA_EMULATED
#include <cuda_bf16.h>
#include <stdint.h>
#endif

using bf16 = __nv_bfloat16;

static constexpr int WARP = 32;

// The shared memory that a launch asks for.
#ifdef IOTA_EMULATED
static bf16 *const tiles = shared_tiles;
#else
extern __shared__ __align__(16) bf16 tiles[];
#endif

__device__ inline float wide(bf16 value) { return __bfloat162float(value); }
__device__ inline bf16 near(float value) { return __float2bfloat16_rn(value); }

// Two values as one register, the first in the lower half.
__device__ inline uint32_t pair(float first, float second) {
    uint32_t low = __bfloat16_as_ushort(near(first)), high = __bfloat16_as_ushort(near(second));
    return low | high << 16;
}

__device__ inline float warp_sum(float value) {
    for (int offset = WARP / 2; offset > 0; offset /= 2)
        value += __shfl_xor_sync(0xffffffffu, value, offset);
    return value;
}

__device__ inline float warp_greatest(float value) {
    for (int offset = WARP / 2; offset > 0; offset /= 2)
        value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, offset));
    return value;
}

// The sum over a block of up to 32 warps, in a fixed order, for all of its threads.
__device__ inline float block_sum(float value) {
    __shared__ float parts[WARP];
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    value = warp_sum(value);
    __syncthreads();
    if (lane == 0) parts[warp] = value;
    __syncthreads();
    return warp_sum(lane < blockDim.x / WARP ? parts[lane] : 0.0f);
}

__device__ inline float block_greatest(float value) {
    __shared__ float parts[WARP];
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    value = warp_greatest(value);
    __syncthreads();
    if (lane == 0) parts[warp] = value;
    __syncthreads();
    return warp_greatest(lane < blockDim.x / WARP ? parts[lane] : -INFINITY);
}

// Products of tiles: C (16 x 8, f32) += A (16 x 16) B (16 x 8), as the lanes of a warp hold them (PTX,
// mma.m16n8k16): with g = lane / 4 and t = lane % 4, C has rows g and g + 8, columns 2t and 2t + 1.
__device__ inline void multiply(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#ifdef IOTA_EMULATED
    emulated_mma(c, a, b);
#else
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

// Four 8 x 8 matrices, whose rows begin where lanes 8i to 8i + 7 say.
__device__ inline void load_four(uint32_t (&out)[4], const bf16 *row) {
#ifdef IOTA_EMULATED
    emulated_ldmatrix(out, row, false);
#else
    uint32_t at = static_cast<uint32_t>(__cvta_generic_to_shared(row));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                 : "r"(at));
#endif
}

// Likewise, each of them transposed.
__device__ inline void load_four_turned(uint32_t (&out)[4], const bf16 *row) {
#ifdef IOTA_EMULATED
    emulated_ldmatrix(out, row, true);
#else
    uint32_t at = static_cast<uint32_t>(__cvta_generic_to_shared(row));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                 : "r"(at));
#endif
}

// 16 bytes to shared memory, without waiting; zeros where there is no source.
__device__ inline void copy_ahead(bf16 *to, const bf16 *from, bool is_there) {
#ifdef IOTA_EMULATED
    emulated_copy(to, from, is_there);
#else
    uint32_t at = static_cast<uint32_t>(__cvta_generic_to_shared(to));
    int bytes = is_there ? 16 : 0;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(at), "l"(from), "r"(bytes));
#endif
}

// Waits for what this thread copied ahead.
__device__ inline void wait_for_copies() {
#ifndef IOTA_EMULATED
    asm volatile("cp.async.wait_all;" ::);
#endif
}
