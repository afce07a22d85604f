// The gated activation of the feed-forward layer (swiglu.rs): silu(gate) * up.
#include "common.cuh"

__device__ inline float sigmoid(float x) { return 1.0f / (1.0f + __expf(-x)); }

extern "C" __global__ void swiglu_forward(const bf16 *gate, const bf16 *up, bf16 *out, size_t count) {
    size_t at = blockIdx.x * (size_t)blockDim.x + threadIdx.x;
    if (at >= count) return;
    float value = wide(gate[at]);
    out[at] = near(value * sigmoid(value) * wide(up[at]));
}

// Replaces gate and up by their gradients.
extern "C" __global__ void swiglu_backward(bf16 *gate, bf16 *up, const bf16 *dy, size_t count) {
    size_t at = blockIdx.x * (size_t)blockDim.x + threadIdx.x;
    if (at >= count) return;
    float value = wide(gate[at]), slope = wide(dy[at]);
    float open = sigmoid(value), silu = value * open;
    gate[at] = near(slope * wide(up[at]) * (open + silu * (1.0f - open)));
    up[at] = near(slope * silu);
}
