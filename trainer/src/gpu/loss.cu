// Cross-entropy of rows of logits (loss.rs), one block a row.
#include "common.cuh"

// The loss of each row, in nats; where `slopes` is not null, the gradient of `share` times it, too.
extern "C" __global__ void cross_entropy(const float *logits, const uint32_t *targets, float *losses,
                                         bf16 *slopes, int vocab, float share) {
    const float *row = logits + (size_t)blockIdx.x * vocab;
    int target = targets[blockIdx.x];
    float most = -INFINITY;
    for (int at = threadIdx.x; at < vocab; at += blockDim.x) most = fmaxf(most, row[at]);
    most = block_greatest(most);
    float sum = 0;
    for (int at = threadIdx.x; at < vocab; at += blockDim.x) sum += __expf(row[at] - most);
    sum = block_sum(sum);
    if (threadIdx.x == 0) losses[blockIdx.x] = logf(sum) - (row[target] - most);
    if (!slopes) return;
    float factor = share / sum;
    bf16 *to = slopes + (size_t)blockIdx.x * vocab;
    for (int at = threadIdx.x; at < vocab; at += blockDim.x)
        to[at] = near(__expf(row[at] - most) * factor - (at == target ? share : 0.0f));
}
