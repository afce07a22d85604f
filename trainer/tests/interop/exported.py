"""Loads an exported folder with `transformers`; prints the loss on given tokens, and a greedy text.

usage: exported.py FOLDER TOKENS.json
"""

import json
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

folder, tokens = sys.argv[1:3]
model = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True, dtype=torch.float32)
model.eval()
with open(tokens) as file:
    given = json.load(file)
with torch.no_grad():
    inputs, targets = torch.tensor(given["inputs"]), torch.tensor(given["targets"])
    logits = model(inputs, use_cache=False).logits
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
    prompt = torch.tensor([given["prompt"]])
    made = model.generate(prompt, max_new_tokens=12, do_sample=False, pad_token_id=0)[0]
tokenizer = AutoTokenizer.from_pretrained(folder)
text = "bytes: \u00e4\u00df\u20ac \n\t ok"
print(json.dumps({
    "loss": loss.item(),
    "class": type(model).__name__,
    "made": made.tolist(),
    "bytes": tokenizer(text)["input_ids"] == list(text.encode()),
    "text": tokenizer.decode(list(text.encode())) == text,
}))
