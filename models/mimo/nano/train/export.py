"""Master parameters -> the published checkpoint layout, in two shards.

  export.py CHECKPOINT.pt NANO_DIR     (config.json is read from NANO_DIR)
"""
import json, sys
from pathlib import Path
import torch
from safetensors.torch import save_file
from model import Config, fuse_qkv, init, init_bias
from quant import fp8_quantise, mxfp4_pack


@torch.no_grad()
def tensors(cfg, p, bias):
    """yields (name, tensor) in the order of the layers"""
    bf = lambda w: w.to(torch.bfloat16)

    def fp8(name, w, groups=1):
        q, s = fp8_quantise(w, groups)
        yield name + ".weight", q
        yield name + ".weight_scale_inv", s

    yield "model.embed_tokens.weight", bf(p["embed"])
    for l in range(cfg.num_hidden_layers):
        n, at = f"{l}.", f"model.layers.{l}."
        yield at + "input_layernorm.weight", bf(p[n + "ln1"])
        yield from fp8(at + "self_attn.qkv_proj", fuse_qkv(cfg, p, l), cfg.num_key_value_heads)
        yield at + "self_attn.o_proj.weight", bf(p[n + "o"])
        if cfg.hybrid_layer_pattern[l]:
            yield at + "self_attn.attention_sink_bias", bf(p[n + "sink"])
        yield at + "post_attention_layernorm.weight", bf(p[n + "ln2"])
        if not cfg.moe_layer_freq[l]:
            for k in ("gate", "up", "down"):
                yield from fp8(at + f"mlp.{k}_proj", p[n + k])
            continue
        yield at + "mlp.gate.weight", p[n + "router"].float()
        yield at + "mlp.gate.e_score_correction_bias", bias[l].float()
        packed = {k: mxfp4_pack(p[n + k]) for k in ("gate", "up", "down")}
        for e in range(cfg.n_routed_experts):
            for k in ("gate", "up", "down"):
                yield at + f"mlp.experts.{e}.{k}_proj.weight", packed[k][0][e]
                yield at + f"mlp.experts.{e}.{k}_proj.weight_scale", packed[k][1][e]
    yield "model.norm.weight", bf(p["norm"])
    yield "lm_head.weight", bf(p["head"])


def export(cfg, p, bias, out):
    out = Path(out)
    all_ = [(n, t.detach().cpu().contiguous().clone()) for n, t in tensors(cfg, p, bias)]
    total = sum(t.nbytes for _, t in all_)
    shards, done = [{}, {}], 0
    for n, t in all_:
        shards[done >= total / 2][n] = t
        done += t.nbytes
    index = {"metadata": {"total_size": total}, "weight_map": {}}
    for i, shard in enumerate(shards):
        file = f"model-{i + 1:05d}-of-00002.safetensors"
        save_file(shard, out / file, metadata={"format": "pt"})
        (out / file).chmod(0o644)
        index["weight_map"] |= dict.fromkeys(shard, file)
    (out / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")
    return total


if __name__ == "__main__":
    out = Path(sys.argv[2])
    cfg = Config(out / "config.json")
    if sys.argv[1] == "untrained":
        p, bias = init(cfg, "cpu"), init_bias(cfg, "cpu")
    else:
        ck = torch.load(sys.argv[1], map_location="cpu", weights_only=True)
        p, bias = ck["params"], ck["bias"]
    print("bytes of weights", export(cfg, p, bias, out))
