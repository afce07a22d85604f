"""The training step of `trainer/benches/step.rs` in PyTorch: a Llama, forward, backward, AdamW.

Prints a line of JSON with tokens per second (the median of the measured steps) and peak memory.
Weights, gradients and moments are f32; with `--precision bf16` autocast multiplies in bf16.
With `--body` it is the body stage of `trainer/examples/body.rs`: blocks between two narrow cuts.
"""

import argparse
import json
import resource
import statistics
import time

import torch
from torch import nn
from torch.nn import functional


class Attention(nn.Module):
    def __init__(self, width, heads, groups):
        super().__init__()
        self.heads, self.groups, self.each = heads, groups, width // heads
        self.q = nn.Linear(width, width, bias=False)
        self.k = nn.Linear(width, groups * self.each, bias=False)
        self.v = nn.Linear(width, groups * self.each, bias=False)
        self.o = nn.Linear(width, width, bias=False)

    def forward(self, x, cos, sin):
        batch, tokens, width = x.shape

        def split(y, heads):
            return y.view(batch, tokens, heads, self.each).transpose(1, 2)

        def turn(y):
            first, second = y.chunk(2, dim=-1)
            return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)

        q = turn(split(self.q(x), self.heads))
        k = turn(split(self.k(x), self.groups))
        v = split(self.v(x), self.groups)
        y = functional.scaled_dot_product_attention(
            q, k.to(q.dtype), v.to(q.dtype), is_causal=True, enable_gqa=self.heads != self.groups
        )
        return self.o(y.transpose(1, 2).reshape(batch, tokens, width))


class Block(nn.Module):
    def __init__(self, width, inner, heads, groups):
        super().__init__()
        self.norm1, self.norm2 = nn.RMSNorm(width, eps=1e-5), nn.RMSNorm(width, eps=1e-5)
        self.attention = Attention(width, heads, groups)
        self.gate = nn.Linear(width, inner, bias=False)
        self.up = nn.Linear(width, inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)

    def forward(self, x, cos, sin):
        x = x + self.attention(self.norm1(x), cos, sin)
        h = self.norm2(x)
        return x + self.down(functional.silu(self.gate(h)) * self.up(h))


class Llama(nn.Module):
    def __init__(self, vocab, width, inner, layers, heads, groups, tokens):
        super().__init__()
        self.embedding = nn.Embedding(vocab, width)
        self.blocks = nn.ModuleList(Block(width, inner, heads, groups) for _ in range(layers))
        self.norm = nn.RMSNorm(width, eps=1e-5)
        self.head = nn.Linear(width, vocab, bias=False)
        half = width // heads // 2
        angles = torch.outer(torch.arange(tokens), 10_000 ** (-torch.arange(half) / half))
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def forward(self, inputs, targets):
        x = self.embedding(inputs)
        for block in self.blocks:
            x = block(x, self.cos, self.sin)
        logits = self.head(self.norm(x))
        return functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())


class Body(nn.Module):
    """Blocks of a middle stage, with a projection from a code and one to the next."""

    def __init__(self, code, width, inner, layers, heads, groups, tokens):
        super().__init__()
        self.decode = nn.Linear(code, width, bias=False)
        self.blocks = nn.ModuleList(Block(width, inner, heads, groups) for _ in range(layers))
        self.encode = nn.Linear(width, code, bias=False)
        half = width // heads // 2
        angles = torch.outer(torch.arange(tokens), 500_000 ** (-torch.arange(half) / half))
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def forward(self, code):
        x = self.decode(code)
        for block in self.blocks:
            x = block(x, self.cos, self.sin)
        return self.encode(x)


def body(options):
    """A microbatch from a code on the host to its gradient on the host, and a step."""
    device = torch.device(options.device)
    torch.set_default_device(device)
    model = Body(127, 2048, 8192, 6, 32, 8, options.tokens)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95), fused=True)
    run = torch.compile(model) if options.compile else model
    shape = (options.batch, options.tokens, 127)
    sent = torch.randn(shape, device="cpu").pin_memory() if device.type == "cuda" else torch.randn(shape)
    slope = 1e-4 * torch.randn(shape)
    times = []
    for _ in range(options.steps + 5):
        start = time.perf_counter()
        code = sent.to(device).requires_grad_()
        with torch.autocast(device.type, torch.bfloat16):
            made = run(code)
        made.float().cpu()
        made.backward(slope.to(made.dtype))
        code.grad.cpu()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    speed = options.batch * options.tokens / statistics.median(times[5:])
    print(json.dumps({"torch": torch.__version__, "tokens_per_second": speed}))


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--precision", choices=("f32", "bf16"), default="f32")
    options.add_argument("--threads", type=int)
    options.add_argument("--steps", type=int, default=15)
    options.add_argument("--compile", action="store_true")
    options.add_argument("--body", action="store_true")
    options.add_argument("--device", default="cpu")
    for name, value in {
        "vocab": 4096, "width": 512, "inner": 1408, "layers": 4, "heads": 8, "groups": 8,
        "tokens": 256, "batch": 4,
    }.items():
        options.add_argument(f"--{name}", type=int, default=value)
    options = options.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(7)
    if options.body:
        return body(options)
    o = options
    model = Llama(o.vocab, o.width, o.inner, o.layers, o.heads, o.groups, o.tokens)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95), fused=True)
    run = torch.compile(model) if options.compile else model
    text = torch.randint(o.vocab, (o.batch, o.tokens + 1))
    times = []
    for _ in range(options.steps + 3):
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=o.precision == "bf16"):
            loss = run(text[:, :-1], text[:, 1:])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        times.append(time.perf_counter() - start)
    seconds = statistics.median(times[3:])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({
        "torch": torch.__version__,
        "tokens_per_second": o.batch * o.tokens / seconds,
        "peak_bytes": peak,
        "loss": loss.item(),
    }))


if __name__ == "__main__":
    main()
