"""The drafter: parameters under their published names, one forward for training and for drafting, and the published files.

A block is [anchor, MASK x 7] at positions a .. a+7; its rows see every row of their own block and the context strictly before the anchor,
both within the window. Context rows become keys and values of each layer and nothing else. Training runs many blocks a sequence at once,
drafting one; the code is the same.
"""
import json, math
from pathlib import Path
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from target import accurate, angles, rms, rotate


class Config:
    def __init__(self, path):
        c = json.loads(Path(path).read_text())
        d = c["dflash_config"]
        self.D, self.L, self.I, self.H, self.G, self.hd = (c[k] for k in (
            "hidden_size", "num_hidden_layers", "intermediate_size", "num_attention_heads", "num_key_value_heads", "head_dim"))
        self.R, self.rope, self.theta = self.H // self.G, int(self.hd * c["partial_rotary_factor"]), c["rope_theta"]
        self.eps, self.block, self.window, self.scale = c["rms_norm_eps"], c["block_size"], d["swa_window_size"], d["attention_value_scale"]
        self.taps, self.mask_id = d["target_layer_ids"], d["mask_token_id"]
        assert c["v_head_dim"] == self.hd and d["use_swa"] and d["attention_sink_bias"]


def init(cfg, target_norm, device, seed=1):
    g = torch.Generator().manual_seed(seed)
    D, n = cfg.D, len(cfg.taps)
    depth = (2 * cfg.L) ** -0.5
    p = {"fc.weight": torch.randn(D, n * D, generator=g) * (n * D) ** -0.5, "hidden_norm.weight": torch.ones(D),
         "norm.weight": target_norm.detach().float().cpu().clone(), "mask_embedding": torch.randn(D, generator=g) * 0.1}
    for l in range(cfg.L):
        at = f"layers.{l}."
        for name, rows, cols, std in (("self_attn.q_proj", cfg.H * cfg.hd, D, 1), ("self_attn.k_proj", cfg.G * cfg.hd, D, 1),
                                      ("self_attn.v_proj", cfg.G * cfg.hd, D, 0.6), ("self_attn.o_proj", D, cfg.H * cfg.hd, 0.6 * depth),
                                      ("mlp.gate_proj", cfg.I, D, 0.6), ("mlp.up_proj", cfg.I, D, 0.6), ("mlp.down_proj", D, cfg.I, 0.6 * depth)):
            p[f"{at}{name}.weight"] = torch.randn(rows, cols, generator=g) * std * cols**-0.5
        for name, size in (("input_layernorm", D), ("post_attention_layernorm", D), ("self_attn.q_norm", cfg.hd), ("self_attn.k_norm", cfg.hd)):
            p[f"{at}{name}.weight"] = torch.ones(size)
        p[at + "self_attn.attention_sink_bias"] = torch.zeros(cfg.H)
    return {k: v.to(device).requires_grad_() for k, v in p.items()}


def effective(p, whiten, dtype):
    """weights as published: BF16; `whiten` is folded into fc's columns, so that training sees taps of one scale"""
    W = {k: v.to(torch.bfloat16).to(dtype) for k, v in p.items() if k != "fc.weight"}
    W["fc.weight"] = (p["fc.weight"] * whiten).to(torch.bfloat16).to(dtype)
    return W


def save(folder, W):
    """W as `effective` gives it"""
    W = {k: v.detach().to(torch.bfloat16).cpu().contiguous().clone() for k, v in W.items()}
    mask = W.pop("mask_embedding")
    folder = Path(folder)
    mask_id = json.loads((folder / "config.json").read_text())["dflash_config"]["mask_token_id"]
    save_file(dict(sorted(W.items())), folder / "dflash_draft_model.safetensors", metadata={"format": "pt"})
    torch.save({"mask_token_id": mask_id, "embedding": mask}, folder / "mask_embedding.pt")
    for name in ("dflash_draft_model.safetensors", "mask_embedding.pt"):
        (folder / name).chmod(0o644)


def load(folder, device, dtype):
    folder = Path(folder)
    W = load_file(folder / "dflash_draft_model.safetensors")
    W["mask_embedding"] = torch.load(folder / "mask_embedding.pt", weights_only=True)["embedding"]
    return {k: v.to(dtype).to(device) for k, v in W.items()}


def context(cfg, W, taps):
    """taps [..., n*D] -> the one vector a committed position is to all layers"""
    return rms(F.linear(taps.to(W["fc.weight"].dtype), W["fc.weight"]), W["hidden_norm.weight"], cfg.eps)


def of_layer(W, l):
    at = f"layers.{l}."
    return {k[len(at) :]: v for k, v in W.items() if k.startswith(at)}


def keys_values(cfg, w, rows, pos):
    """rows [..., D] at pos [...] -> keys, turned, and values [..., G, hd]; of context vectors and of normed block rows alike"""
    k = rms(F.linear(rows, w["self_attn.k_proj.weight"]).unflatten(-1, (cfg.G, cfg.hd)), w["self_attn.k_norm.weight"], cfg.eps)
    cos, sin = angles(pos, cfg.theta, cfg.rope, accurate(k).dtype)
    v = F.linear(rows, w["self_attn.v_proj.weight"]).unflatten(-1, (cfg.G, cfg.hd)) * cfg.scale
    return rotate(k, cos[..., None, :], sin[..., None, :]), v


def layer(cfg, w, x, anchors, K, V):
    """x [B,N,block,D] of blocks at anchors [B,N]; K, V [B,S,G,hd] of context positions 0..S-1"""
    (B, N, n, _), G, R, hd = x.shape, cfg.G, cfg.R, cfg.hd
    pos = anchors[..., None] + torch.arange(n, device=x.device)                                      # [B,N,n]
    t = torch.arange(K.shape[1], device=x.device)
    seen = (t < anchors[..., None, None]) & (pos[..., None] - t < cfg.window)                        # [B,N,n,S]
    cos, sin = angles(pos, cfg.theta, cfg.rope, x.dtype)
    h = rms(x, w["input_layernorm.weight"], cfg.eps)
    q = rms(F.linear(h, w["self_attn.q_proj.weight"]).view(B, N, n, G, R, hd), w["self_attn.q_norm.weight"], cfg.eps)
    q = rotate(q, cos[..., None, None, :], sin[..., None, None, :]).permute(0, 3, 1, 4, 2, 5).reshape(B, G, N, R * n, hd)
    k, v = (y.permute(0, 3, 1, 2, 4) for y in keys_values(cfg, w, h, pos))                           # [B,G,N,n,hd]
    K, V = K.transpose(1, 2), V.transpose(1, 2)                                                      # [B,G,S,hd]
    far = accurate(q.flatten(2, 3) @ K.mT).view(B, G, N, R, n, -1) * hd**-0.5
    far = far.masked_fill(~seen[:, None, :, None], -math.inf)
    near = accurate(q @ k.mT).view(B, G, N, R, n, n) * hd**-0.5
    sink = accurate(w["self_attn.attention_sink_bias"]).view(1, G, 1, R, 1, 1)
    m = torch.maximum(torch.maximum(far.amax(-1, keepdim=True), near.amax(-1, keepdim=True)), sink).detach()
    far, near = torch.exp(far - m), torch.exp(near - m)
    den = far.sum(-1, keepdim=True) + near.sum(-1, keepdim=True) + torch.exp(sink - m)
    o = ((far / den).to(V.dtype).flatten(2, 4) @ V).view(B, G, N, R * n, hd) + (near / den).to(v.dtype).flatten(3, 4) @ v
    o = o.view(B, G, N, R, n, hd).permute(0, 2, 4, 1, 3, 5).reshape(B, N, n, G * R * hd)
    x = x + F.linear(o, w["self_attn.o_proj.weight"])
    h = rms(x, w["post_attention_layernorm.weight"], cfg.eps)
    return x + F.linear(F.silu(F.linear(h, w["mlp.gate_proj.weight"])) * F.linear(h, w["mlp.up_proj.weight"]), w["mlp.down_proj.weight"])


def enter(cfg, W, embedded):
    """embedded anchor tokens [B,N,D] -> rows of their blocks [B,N,block,D]"""
    mask = W["mask_embedding"].to(embedded.dtype).expand(*embedded.shape[:2], cfg.block - 1, -1)
    return accurate(torch.cat([embedded[:, :, None], mask], 2))


def leave(cfg, W, x):
    """-> normed rows [B,N,block-1,D]; row j-1 is about position anchor + j"""
    return rms(x[:, :, 1:], W["norm.weight"], cfg.eps)
