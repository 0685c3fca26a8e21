"""The frozen target, read from its exported files: any rows of any sequences against a cache, and a fast generator.

`rows` is the plain form (any precision, ragged positions): prompts, verification, fixtures. `generate` is the same model for one token of
thousands of sequences at a time, in bfloat16 with flash attention. Both hand out the taps: the residual stream after chosen layers.
Experts are computed densely, hidden units multiplied by the routing weight of their expert, as in the trainer.
"""
import json, math
from pathlib import Path
import torch
import torch.nn.functional as F
from safetensors import safe_open


def accurate(x):
    return x if x.dtype == torch.float64 else x.float()


def rms(x, w, eps):
    x = accurate(x)
    return (x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps) * w.to(x.dtype)).to(w.dtype)


def angles(pos, theta, dim, dtype):
    """-> cos, sin [..., dim/2] of positions"""
    f = theta ** (-torch.arange(0, dim, 2, device=pos.device, dtype=dtype) / dim)
    a = pos[..., None].to(dtype) * f
    return a.cos(), a.sin()


def rotate(x, cos, sin):
    """NeoX: the first 2h elements turn, the first h of them against the second"""
    h = cos.shape[-1]
    y = accurate(x)
    a, b = y[..., :h], y[..., h : 2 * h]
    return torch.cat([a * cos - b * sin, b * cos + a * sin, y[..., 2 * h :]], -1).to(x.dtype)


class Target:
    def __init__(self, folder, device, dtype):
        folder = Path(folder)
        self.device, self.dtype = device, dtype
        self.exact = torch.float64 if dtype == torch.float64 else torch.float32
        c = self.c = json.loads((folder / "config.json").read_text())
        raw = {}
        for file in sorted(set(json.loads((folder / "model.safetensors.index.json").read_text())["weight_map"].values())):
            with safe_open(folder / file, "pt") as f:
                raw |= {n: f.get_tensor(n).to(device) for n in f.keys()}
        own = lambda n: raw[n].to(self.exact).to(dtype)
        self.real = 4096                                     # ids above are padding rows
        self.eps, self.window, self.scale = c["layernorm_epsilon"], c["sliding_window"], c["attention_value_scale"]
        self.D, self.H, self.G, self.hd, self.vd = (c[k] for k in ("hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim", "v_head_dim"))
        self.R, self.rope = self.H // self.G, int(self.hd * c["partial_rotary_factor"])
        self.embed, self.norm, self.head = own("model.embed_tokens.weight"), own("model.norm.weight"), own("lm_head.weight")[: self.real]
        self.layers = [self._layer(raw, own, l) for l in range(c["num_hidden_layers"])]

    def _fp8(self, raw, name, groups=1):
        w, s = raw[name + ".weight"].to(self.exact), raw[name + ".weight_scale_inv"].to(self.exact)
        per = w.shape[0] // groups
        s = s.view(groups, -1, s.shape[-1]).repeat_interleave(128, 1)[:, :per].repeat_interleave(128, 2)[..., : w.shape[1]]
        return (w.view(groups, per, -1) * s).view(w.shape).to(self.dtype)

    def _mxfp4(self, raw, name):
        packed, scale = raw[name + ".weight"], raw[name + ".weight_scale"]
        value = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6], dtype=self.exact, device=self.device)
        w = torch.stack([value[(packed & 15).long()], value[(packed >> 4).long()]], -1).flatten(-2)
        return (w * torch.exp2(scale.to(self.exact) - 127).repeat_interleave(32, 1)).to(self.dtype)

    def _layer(self, raw, own, l):
        c, at = self.c, f"model.layers.{l}."
        swa = c["hybrid_layer_pattern"][l] == 1
        p = {"window": self.window if swa else None, "theta": c["swa_rope_theta" if swa else "rope_theta"],
             "ln1": own(at + "input_layernorm.weight"), "ln2": own(at + "post_attention_layernorm.weight"),
             "qkv": self._fp8(raw, at + "self_attn.qkv_proj", self.G), "o": own(at + "self_attn.o_proj.weight"),
             "sink": raw[at + "self_attn.attention_sink_bias"].to(self.exact) if swa else None}
        names = ("gate_proj", "up_proj", "down_proj")
        if c["moe_layer_freq"][l]:
            p["router"], p["bias"] = raw[at + "mlp.gate.weight"].to(self.exact), raw[at + "mlp.gate.e_score_correction_bias"].float()
            p["mlp"] = [torch.cat([self._mxfp4(raw, f"{at}mlp.experts.{e}.{n}") for e in range(c["n_routed_experts"])], 1 if n == "down_proj" else 0) for n in names]
        else:
            p["mlp"] = [self._fp8(raw, f"{at}mlp.{n}") for n in names]
        return p

    def feed_forward(self, p, h):
        gate, up, down = p["mlp"]
        a = F.silu(F.linear(h, gate)) * F.linear(h, up)
        if "router" in p:
            s = torch.sigmoid(F.linear(h.to(self.exact), p["router"]))
            top = torch.topk(s.float() + p["bias"], self.c["num_experts_per_tok"], dim=-1).indices      # float32, at about 71
            w = s * torch.zeros_like(s).scatter(-1, top, 1.0)
            w = w / (w.sum(-1, keepdim=True) + 1e-20)
            a = (a.unflatten(-1, (w.shape[-1], -1)) * w[..., None].to(a.dtype)).flatten(-2)
        return F.linear(a, down)

    def split(self, p, h):
        """normed rows [..., D] -> q [..., G, R, hd], k [..., G, hd], v [..., G, vd], not yet turned"""
        q, k, v = F.linear(h, p["qkv"]).unflatten(-1, (self.G, -1)).split([self.R * self.hd, self.hd, self.vd], -1)
        return q.unflatten(-1, (self.R, self.hd)), k, v * self.scale

    def logits(self, x):
        return accurate(F.linear(rms(x, self.norm, self.eps), self.head))

    # ---- any rows
    def cache(self, batch, length):
        new = lambda d: torch.zeros(batch, length, self.G, d, device=self.device, dtype=self.dtype)
        return [(new(self.hd), new(self.vd)) for _ in self.layers]

    @torch.no_grad()
    def rows(self, ids, start, cache, taps):
        """ids [B,n] at positions start [B] on; writes the cache there -> residual stream [B,n,D], taps [B,n,len(taps)*D].
        A row sees what the cache holds at and before its own position, so rows of rejected tokens are harmless until overwritten."""
        B, n = ids.shape
        pos = start[:, None] + torch.arange(n, device=self.device)
        b = torch.arange(B, device=self.device)[:, None]
        behind = pos[..., None] - torch.arange(cache[0][0].shape[1], device=self.device)             # [B,n,S]
        x, seen = F.embedding(ids, self.embed).to(self.exact), {}
        for l, p in enumerate(self.layers):
            q, k, v = self.split(p, rms(x, p["ln1"], self.eps))
            cos, sin = angles(pos, p["theta"], self.rope, self.exact)
            K, V = cache[l]
            K[b, pos], V[b, pos] = rotate(k, cos[:, :, None], sin[:, :, None]), v
            q = rotate(q, cos[:, :, None, None], sin[:, :, None, None])
            s = torch.einsum("bngrd,bsgd->bngrs", q, K).to(self.exact) * self.hd**-0.5
            hidden = (behind < 0) | (behind >= p["window"]) if p["window"] else behind < 0
            s = s.masked_fill(hidden[:, :, None, None], -math.inf)
            if p["sink"] is not None:
                s = torch.cat([s, p["sink"].view(self.G, self.R, 1).expand(B, n, -1, -1, 1)], -1)
            w = torch.softmax(s, -1)[..., : V.shape[1]].to(self.dtype)
            x = x + F.linear(torch.einsum("bngrs,bsgd->bngrd", w, V).flatten(2), p["o"])
            x = x + self.feed_forward(p, rms(x, p["ln2"], self.eps))
            seen[l] = x
        return x, torch.cat([seen[l] for l in taps], -1)

    # ---- many sequences, one token at a time
    @torch.no_grad()
    def generate(self, prompts, lengths, heat, taps, ids_out, taps_out, kv=None):
        """prompts [B,P] (padded), lengths [B], heat [S,B] temperature with which the token of a position is drawn (0: the best one).
        Fills ids_out [B,S] and taps_out [B,S,len(taps)*D]; kv is scratch that a later call may use again."""
        B, S = ids_out.shape
        kv = kv or [torch.zeros(2, B, self.G, S, self.hd, device=self.device, dtype=self.dtype) for _ in self.layers]
        turn = {p["theta"]: angles(torch.arange(S, device=self.device), p["theta"], self.rope, torch.float32) for p in self.layers}
        tok = prompts[:, 0]
        for t in range(S):
            ids_out[:, t] = tok
            x, seen = F.embedding(tok.long(), self.embed).float(), {}
            for l, p in enumerate(self.layers):
                q, k, v = self.split(p, rms(x, p["ln1"], self.eps))
                cos, sin = (a[t] for a in turn[p["theta"]])
                K, V = kv[l]
                K[:, :, t], V[:, :, t, : self.vd] = rotate(k, cos, sin), v
                lo = max(0, t + 1 - p["window"]) if p["window"] else 0
                o = attend_one(rotate(q, cos, sin), K[:, :, lo : t + 1], V[:, :, lo : t + 1], p["sink"])[..., : self.vd]
                x = x + F.linear(o.flatten(1), p["o"])
                x = x + self.feed_forward(p, rms(x, p["ln2"], self.eps))
                seen[l] = x
            taps_out[:, t] = torch.cat([seen[l] for l in taps], -1)
            z = self.logits(x)
            z -= torch.empty_like(z).exponential_().clamp_(min=1e-20).log_() * heat[t, :, None]
            tok = z.argmax(-1)
            if t + 1 < prompts.shape[1]:
                tok = torch.where(t + 1 < lengths, prompts[:, t + 1], tok)
        return kv


def attend_one(q, k, v, sink):
    """q [B,G,R,d] of one position; the R queries of a KV head are rows of one product. A sink only makes the denominator larger."""
    if q.is_cuda:
        o, lse = torch.ops.aten._scaled_dot_product_flash_attention(q, k, v, scale=q.shape[-1] ** -0.5)[:2]
    else:
        s = (q @ k.mT).float() * q.shape[-1] ** -0.5
        o, lse = torch.softmax(s, -1).to(v.dtype) @ v, s.logsumexp(-1)
    return o if sink is None else o * torch.sigmoid(lse - sink.view(1, *q.shape[1:3]))[..., None].to(o.dtype)
