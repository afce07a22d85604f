"""A Llama whose residual stream is squeezed at some layers, as it was trained (iota).

Before a layer named in `config.iota_cuts`, rows of the stream are encoded to a code, which may be rounded
to int8 with a power of two as scale, and decoded again, with the tokens embedded anew where
`token_width` is not zero.
"""

import torch
from torch import nn
from transformers.models.llama.modeling_llama import (
    LlamaDecoderLayer,
    LlamaForCausalLM,
    LlamaModel,
)


class Cut(nn.Module):
    def __init__(self, config):
        super().__init__()
        cuts = config.iota_cuts
        self.width, self.int8, self.residual = cuts["width"], cuts["int8"], cuts["residual"]
        token_width = cuts["token_width"]
        self.squeezes = self.width < config.hidden_size
        if self.squeezes:
            self.encode = nn.Linear(config.hidden_size, self.width, bias=False)
            self.decode = nn.Linear(self.width + token_width, config.hidden_size, bias=False)
        self.tokens = nn.Embedding(config.vocab_size, token_width) if token_width else None

    def forward(self, x, input_ids):
        if not self.squeezes:
            return rounded(x) if self.int8 else x
        code = self.encode(x)
        if self.residual:
            code = code + x[..., : self.width]
        if self.int8:
            code = rounded(code)
        known = code if self.tokens is None else torch.cat((code, self.tokens(input_ids)), dim=-1)
        out = self.decode(known)
        if self.residual:
            out = torch.cat((out[..., : self.width] + code, out[..., self.width :]), dim=-1)
        return out


def rounded(code):
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
        for index in self.config.iota_cuts["layers"]:
            self.layers[index].input_ids = input_ids
        return super().forward(input_ids, *args, **kwargs)


class IotaForCausalLM(LlamaForCausalLM):
    def __init__(self, config):
        super().__init__(config)
        self.model = IotaModel(config)
        self.post_init()
