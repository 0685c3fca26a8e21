"""The nano model as the trainer sees it: master parameters in float32, effective weights (quantised as they will be exported), forward.

Experts are computed densely: one wide SwiGLU over all 16 experts whose hidden units are multiplied by the routing weight of their
expert (zero for experts that are not chosen). At these sizes that is faster than sorting tokens, and it is exact.
"""
import json
import torch
import torch.nn.functional as F
from quant import fp8_fake, mxfp4_fake


class Config:
    def __init__(self, path):
        self.__dict__.update(json.load(open(path)))
        self.q_rows = self.num_attention_heads // self.num_key_value_heads * self.head_dim
        self.rope_dim = int(self.head_dim * self.partial_rotary_factor)


def init(cfg, device, seed=1):
    g = torch.Generator().manual_seed(seed)
    D, H, G = cfg.hidden_size, cfg.num_attention_heads, cfg.num_key_value_heads

    def normal(*shape, std):
        return (torch.randn(*shape, generator=g) * std).to(device).requires_grad_()

    p = {"embed": normal(cfg.vocab_size, D, std=0.1), "head": normal(cfg.vocab_size, D, std=0.01),
         "norm": torch.ones(D, device=device, requires_grad=True)}
    depth = (2 * cfg.num_hidden_layers) ** -0.5
    for l in range(cfg.num_hidden_layers):
        n = f"{l}."
        p[n + "ln1"] = torch.ones(D, device=device, requires_grad=True)
        p[n + "ln2"] = torch.ones(D, device=device, requires_grad=True)
        p[n + "q"] = normal(H * cfg.head_dim, D, std=0.6 * D**-0.5)
        p[n + "k"] = normal(G * cfg.head_dim, D, std=0.6 * D**-0.5)
        p[n + "v"] = normal(G * cfg.v_head_dim, D, std=0.6 * D**-0.5)
        p[n + "o"] = normal(D, H * cfg.v_head_dim, std=0.6 * (H * cfg.v_head_dim) ** -0.5 * depth)
        if cfg.hybrid_layer_pattern[l]:
            p[n + "sink"] = torch.zeros(H, device=device, requires_grad=True)
        if cfg.moe_layer_freq[l]:
            E, I = cfg.n_routed_experts, cfg.moe_intermediate_size
            p[n + "router"] = normal(E, D, std=D**-0.5)
            p[n + "gate"] = normal(E, I, D, std=0.6 * D**-0.5)
            p[n + "up"] = normal(E, I, D, std=0.6 * D**-0.5)
            p[n + "down"] = normal(E, D, I, std=0.6 * I**-0.5 * depth)
        else:
            I = cfg.intermediate_size
            p[n + "gate"] = normal(I, D, std=0.6 * D**-0.5)
            p[n + "up"] = normal(I, D, std=0.6 * D**-0.5)
            p[n + "down"] = normal(D, I, std=0.6 * I**-0.5 * depth)
    return p


def init_bias(cfg, device):
    """e_score_correction_bias: un-centred like the published one, so that every routing decision of the training run is made by the
    same float32 addition at 71 that a server of the exported model will do"""
    return {l: torch.full((cfg.n_routed_experts,), 71.0, device=device) for l in range(cfg.num_hidden_layers) if cfg.moe_layer_freq[l]}


def fuse_qkv(cfg, p, l):
    G, D = cfg.num_key_value_heads, cfg.hidden_size
    return torch.cat([p[f"{l}.{n}"].view(G, -1, D) for n in "qkv"], 1).view(-1, D)


def effective(cfg, p, lam, dtype):
    """weights as exported; lam in [0, 1] blends the quantisation in (straight-through gradient)"""
    ste = lambda w, q: w + lam * (q - w).detach()
    bf = lambda w: w.to(torch.bfloat16).to(dtype)
    W = {"embed": bf(p["embed"]), "head": bf(p["head"]), "norm": bf(p["norm"])}
    for l in range(cfg.num_hidden_layers):
        n = f"{l}."
        W[n + "ln1"], W[n + "ln2"], W[n + "o"] = bf(p[n + "ln1"]), bf(p[n + "ln2"]), bf(p[n + "o"])
        if n + "sink" in p:
            W[n + "sink"] = p[n + "sink"].to(torch.bfloat16).float()
        w = fuse_qkv(cfg, p, l)
        W[n + "qkv"] = ste(w, fp8_fake(w, cfg.num_key_value_heads)).to(dtype)
        if cfg.moe_layer_freq[l]:
            W[n + "router"] = p[n + "router"]
            gate, up, down = (ste(p[n + k], mxfp4_fake(p[n + k])).to(dtype) for k in ("gate", "up", "down"))
            W[n + "gate"], W[n + "up"] = gate.flatten(0, 1), up.flatten(0, 1)
            W[n + "down"] = down.transpose(0, 1).flatten(1)
        else:
            for k in ("gate", "up", "down"):
                W[n + k] = ste(p[n + k], fp8_fake(p[n + k])).to(dtype)
    return W


def rms(x, w, eps):
    x = x.float()
    return (x * torch.rsqrt((x * x).mean(-1, keepdim=True) + eps) * w.float()).to(w.dtype)


def rope(x, cos, sin):
    h = cos.shape[-1]
    a, b = x[..., :h].float(), x[..., h : 2 * h].float()
    return torch.cat([(a * cos - b * sin).to(x.dtype), (b * cos + a * sin).to(x.dtype), x[..., 2 * h :]], -1)


def attend_plain(q, k, v, scale, window, sink):
    """[B,H,T,*]; the textbook form, for evaluation"""
    r = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(r, 1), v.repeat_interleave(r, 1)
    t = torch.arange(q.shape[2], device=q.device)
    d = t[:, None] - t[None]
    keep = (d >= 0) & ((d < window) if window else True)
    s = (q.float() @ k.float().transpose(-1, -2) * scale).masked_fill(~keep, float("-inf"))
    if sink is not None:
        s = torch.cat([s, sink.view(1, -1, 1, 1).expand(*s.shape[:3], 1)], -1)
    p = torch.softmax(s, -1)[..., : k.shape[2]]
    return p.to(v.dtype) @ v


def attend_full(q, k, v, scale):
    """flash attention; v is padded to the width of q and k"""
    dv = v.shape[-1]
    o = F.scaled_dot_product_attention(q, k, F.pad(v, (0, q.shape[-1] - dv)), is_causal=True, scale=scale, enable_gqa=True)
    return o[..., :dv]


def attend_window(q, k, v, scale, window, sink):
    """sliding window with a sink: blocks of `window` queries against their own and the previous block of keys"""
    B, H, T, dk = q.shape
    G, dv, n = k.shape[1], v.shape[-1], T // window
    r = H // G
    q = q.view(B, G, r, n, window, dk).transpose(2, 3).reshape(B, G, n, r * window, dk)

    def pairs(x):
        x = x.reshape(B, G, n, window, -1)
        return torch.cat([F.pad(x, (0, 0, 0, 0, 1, 0))[:, :, :-1], x], 3)

    s = q @ pairs(k).transpose(-1, -2)  # [B,G,n,r*window,2*window]
    i = torch.arange(window, device=q.device)[:, None] + window
    j = torch.arange(2 * window, device=q.device)[None]
    keep = (j <= i) & (i - j < window)
    first = torch.arange(n, device=q.device)[:, None, None] == 0
    keep = keep[None] & ~(first & (j < window)[None])  # [n,window,2*window]
    s = s.view(B, G, n, r, window, 2 * window).float() * scale
    s = s.masked_fill(~keep[None, None, :, None], float("-inf"))
    sk = sink.view(1, G, 1, r, 1, 1)
    m = torch.maximum(s.amax(-1, keepdim=True), sk).detach()
    p = torch.exp(s - m)
    p = p / (p.sum(-1, keepdim=True) + torch.exp(sk - m))
    o = p.to(v.dtype).view(B, G, n, r * window, 2 * window) @ pairs(v)
    return o.view(B, G, n, r, window, dv).transpose(2, 3).reshape(B, H, T, dv)


def forward(cfg, W, bias, ids, fast=True, drop=0.0):
    """-> final hidden states [B,T,D], list of per-layer expert loads"""
    B, T = ids.shape
    G, hd, vd, R = cfg.num_key_value_heads, cfg.head_dim, cfg.v_head_dim, cfg.num_attention_heads // cfg.num_key_value_heads
    dtype = W["embed"].dtype
    x = F.embedding(ids, W["embed"]).float()
    t = torch.arange(T, device=ids.device, dtype=torch.float32)
    loads = []
    for l in range(cfg.num_hidden_layers):
        n, swa = f"{l}.", cfg.hybrid_layer_pattern[l] == 1
        h = rms(x, W[n + "ln1"], cfg.layernorm_epsilon)
        qkv = F.linear(h, W[n + "qkv"]).view(B, T, G, -1)
        q, k, v = qkv.split([R * hd, hd, vd], -1)
        q, k, v = q.reshape(B, T, G * R, hd).transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
        theta = cfg.swa_rope_theta if swa else cfg.rope_theta
        f = theta ** (-torch.arange(0, cfg.rope_dim, 2, device=ids.device, dtype=torch.float32) / cfg.rope_dim)
        cos, sin = (t[:, None] * f).cos(), (t[:, None] * f).sin()
        q, k, v = rope(q, cos, sin), rope(k, cos, sin), v * cfg.attention_value_scale
        sink = W.get(n + "sink")
        window = cfg.sliding_window if swa else None
        if not fast:
            o = attend_plain(q, k, v, hd**-0.5, window, sink)
        elif swa:
            o = attend_window(q, k, v, hd**-0.5, window, sink)
        else:
            o = attend_full(q, k, v, hd**-0.5)
        x = x + F.dropout(F.linear(o.transpose(1, 2).reshape(B, T, -1), W[n + "o"]), drop)
        h = rms(x, W[n + "ln2"], cfg.layernorm_epsilon)
        a = F.silu(F.linear(h, W[n + "gate"])) * F.linear(h, W[n + "up"])
        if cfg.moe_layer_freq[l]:
            s = torch.sigmoid(F.linear(h.float(), W[n + "router"]))
            top = torch.topk(s.detach() + bias[l], cfg.num_experts_per_tok, dim=-1).indices
            mask = torch.zeros_like(s).scatter(-1, top, 1.0)
            w = s * mask
            w = w / (w.sum(-1, keepdim=True) + 1e-20)
            loads.append(mask.sum((0, 1)))
            a = (a.view(B, T, cfg.n_routed_experts, -1) * w.to(dtype)[..., None]).flatten(2)
        x = x + F.dropout(F.linear(a, W[n + "down"]), drop)
    return rms(x, W["norm"], cfg.layernorm_epsilon), loads


def loss(cfg, W, bias, ids, targets, fast=True, reduction="mean", drop=0.0):
    h, loads = forward(cfg, W, bias, ids, fast, drop)
    logits = F.linear(h, W["head"]).float()
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction=reduction), loads
