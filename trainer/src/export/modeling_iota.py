"""A Llama whose residual stream is squeezed at some layers, as it was trained (iota).

Before a layer named in `config.iota_cuts`, rows of the stream are normed and encoded to a code, which may
be rounded to few bits with a scale for each row, and decoded again, with the tokens embedded anew where
`token_width` is not zero: the present one and, where `token_span` is not one, those before it.
"""

import torch
from torch import nn
from transformers.models.llama.modeling_llama import (
    LlamaDecoderLayer,
    LlamaForCausalLM,
    LlamaModel,
    LlamaRMSNorm,
)


class Cut(nn.Module):
    def __init__(self, config):
        super().__init__()
        cuts = config.iota_cuts
        self.width, self.bits, self.residual = cuts["width"], cuts["bits"], cuts["residual"]
        token_width = cuts["token_width"]
        self.squeezes = self.width < config.hidden_size
        if self.squeezes:
            self.norm = LlamaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)
            self.encode = nn.Linear(config.hidden_size, self.width, bias=False)
            self.decode = nn.Linear(self.width + token_width, config.hidden_size, bias=False)
        self.tokens = nn.Embedding(config.vocab_size, token_width) if token_width else None
        self.span = cuts["token_span"]

    def forward(self, x, input_ids):
        if not self.squeezes:
            return rounded(x.float(), self.bits).to(x.dtype)
        h = self.norm(x)
        code = self.encode(h)
        if self.residual:
            code = code + h[..., : self.width]
        code = rounded(code.float(), self.bits).to(code.dtype)
        known = code if self.tokens is None else torch.cat((code, self.embed(input_ids)), dim=-1)
        out = self.decode(known)
        if self.residual:
            out = torch.cat((out[..., : self.width] + code, out[..., self.width :]), dim=-1)
        return out


    def embed(self, input_ids):
        """Each token's own part of its row beside the next part of the row of the token before, and so on."""
        each, parts = self.tokens.embedding_dim // self.span, []
        for back in range(self.span):
            before = input_ids[:, :1].expand(-1, back)
            ids = torch.cat((before, input_ids), dim=1)[:, : input_ids.shape[1]]
            parts.append(self.tokens(ids)[..., back * each : (back + 1) * each])
        return torch.cat(parts, dim=-1)


# Distances between levels that suit a normal variable, by bits.
STEPS = {1: 1.596, 2: 0.9957, 4: 0.3352}


def rounded(code, bits):
    """What is left of a code that travels with so many bits for each value."""
    if bits == 32:
        return code
    if bits == 8:
        return rounded_to_int8(code)
    square = code.square().mean(dim=-1, keepdim=True)
    # frexp: square = m * 2^e with m from 1/2 to 1; the nearest half power of two to its root.
    mantissa, exponent = torch.frexp(square)
    exponent = exponent - 1 + (2 * mantissa >= 2**0.5).to(exponent.dtype)
    unit = STEPS[bits] * torch.exp2(exponent.clamp(-100, 100) / 2)
    half = 2 ** (bits - 1)
    levels = torch.floor(code / unit).clamp(-half, half - 1) + 0.5
    return torch.where(square < 2.0**-100, torch.zeros_like(code), levels * unit)


def rounded_to_int8(code):
    """Each row in units of the least power of two at which it fits into -127 to 127."""
    greatest = code.abs().amax(dim=-1, keepdim=True)
    # frexp: greatest = m * 2^e with m from 1/2 to 1, so its magnitude is e - 1.
    exponent = (torch.frexp(greatest)[1] - 7).clamp(-100, 100)
    unit = torch.ldexp(torch.ones_like(greatest), exponent)
    unit = torch.where(torch.round(greatest / unit) <= 127, unit, unit * 2)
    return torch.round(code / unit) * unit


class IotaDecoderLayer(LlamaDecoderLayer):
    """A layer that stands behind a cut."""

    def __init__(self, config, layer_idx):
        super().__init__(config, layer_idx)
        self.cut = Cut(config)
        self.input_ids = None

    def forward(self, hidden_states, *args, **kwargs):
        return super().forward(self.cut(hidden_states, self.input_ids), *args, **kwargs)


class IotaModel(LlamaModel):
    def __init__(self, config):
        super().__init__(config)
        for index in config.iota_cuts["layers"]:
            self.layers[index] = IotaDecoderLayer(config, index)
        self.post_init()

    def forward(self, input_ids=None, *args, **kwargs):
        past = kwargs.get("past_key_values")
        cuts = self.config.iota_cuts
        looks_back = cuts["token_width"] and cuts["token_span"] > 1
        if looks_back and past is not None and past.get_seq_length():
            raise ValueError("this model needs all tokens at a time: pass use_cache=False")
        for index in self.config.iota_cuts["layers"]:
            self.layers[index].input_ids = input_ids
        return super().forward(input_ids, *args, **kwargs)


class IotaForCausalLM(LlamaForCausalLM):
    def __init__(self, config):
        super().__init__(config)
        self.model = IotaModel(config)
        self.post_init()
