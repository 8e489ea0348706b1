"""Turn SmolLM2-135M-Instruct from GGUF into a safetensors snapshot that tensor parallel 2 can split.

Runs inside the lab's engine image: convert.py GGUF-FOLDER GGUF-FILE OUT.

The model has 9 query heads and 3 key/value heads; neither divides by two. The padded one has 12 and 4: the new
heads have zero rows in q, k and v and zero columns in o, so they add exactly nothing and the function is unchanged
(head_dim stays 64, a group stays three query heads to one key/value head).
"""

import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

HEADS, KV_HEADS = 12, 4
SHARD = "48MB"


def padded(weight: torch.Tensor, dim: int, size: int) -> torch.Tensor:
    shape = list(weight.shape)
    shape[dim] = size - shape[dim]
    return torch.cat([weight, torch.zeros(shape, dtype=weight.dtype)], dim=dim).contiguous()


def pad_heads(model: LlamaForCausalLM) -> LlamaForCausalLM:
    config = model.config
    head_dim = config.hidden_size // config.num_attention_heads
    rows = {"q_proj": HEADS * head_dim, "k_proj": KV_HEADS * head_dim, "v_proj": KV_HEADS * head_dim}
    state = {}
    for name, weight in model.state_dict().items():
        layer = name.rsplit(".", 2)[-2]
        if layer in rows:
            state[name] = padded(weight, 0, rows[layer])
        elif layer == "o_proj":
            state[name] = padded(weight, 1, HEADS * head_dim)
        else:
            state[name] = weight
    config.head_dim = head_dim
    config.num_attention_heads, config.num_key_value_heads = HEADS, KV_HEADS
    wide = LlamaForCausalLM(config).to(torch.bfloat16)
    wide.load_state_dict(state)
    wide.tie_weights()
    wide.generation_config = model.generation_config
    return wide


def main(folder: str, name: str, out: str) -> None:
    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32)
    for attribute in ("hf_quantizer", "is_quantized", "quantization_method"):
        if hasattr(model, attribute):
            setattr(model, attribute, None)
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model = model.to(torch.bfloat16)
    wide = pad_heads(model).eval()

    prompt = tokenizer("The capital of France is", return_tensors="pt").input_ids
    with torch.no_grad():
        before, after = model.eval()(prompt).logits[0, -1].float(), wide(prompt).logits[0, -1].float()
    if before.argmax() != after.argmax() or (before - after).abs().max() > 0.25:
        sys.exit("the padded model no longer computes what the original computes")

    wide.config.dtype = "bfloat16"
    wide.config._name_or_path = "lab/smollm2-135m"
    wide.save_pretrained(out, max_shard_size=SHARD)
    tokenizer.save_pretrained(out)
    for path in Path(out).iterdir():
        path.chmod(0o644)


if __name__ == "__main__":
    main(*sys.argv[1:4])
