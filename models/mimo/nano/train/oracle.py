"""An independent reading of the model, from the exported files alone (config.json, tokenizer.json, *.safetensors).

Float64 throughout, weights dequantised exactly, no intermediate rounding; the one float32 operation is the addition of the
un-centred e_score_correction_bias, because that rounding is part of the published semantics. Shares no code with the trainer.

  oracle.py NANO_DIR fixture  [HELDOUT_DIR]   writes NANO_DIR/oracle.safetensors
  oracle.py NANO_DIR bpb      HELDOUT_DIR [tokens per package]   bits per byte of held-out packages
  oracle.py NANO_DIR sample   PROMPTS.json    unedited samples
"""
import json, math, sys
from pathlib import Path
import torch
from safetensors import safe_open
from safetensors.torch import save_file

f64 = torch.float64


class Oracle:
    def __init__(self, folder, device=None, dtype=f64):
        self.dir, self.dtype = Path(folder), dtype
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.c = json.loads((self.dir / "config.json").read_text())
        index = json.loads((self.dir / "model.safetensors.index.json").read_text())["weight_map"]
        self.raw = {}
        for file in sorted(set(index.values())):
            with safe_open(self.dir / file, "pt") as f:
                for name in f.keys():
                    assert index[name] == file, name
                    self.raw[name] = f.get_tensor(name)
        assert self.raw.keys() == index.keys()
        self.used = set()
        self.layers = [self._layer(l) for l in range(self.c["num_hidden_layers"])]
        self.embed, self.norm, self.head = (self._get(n) for n in ("model.embed_tokens.weight", "model.norm.weight", "lm_head.weight"))
        assert self.used == self.raw.keys(), sorted(self.raw.keys() - self.used)[:5]

    def _get(self, name, shape=None):
        self.used.add(name)
        t = self.raw[name]
        assert shape is None or list(t.shape) == list(shape), (name, t.shape, shape)
        return t.to(self.dtype).to(self.device)

    def _fp8(self, name, rows, cols, groups):
        """each group of rows is cut into blocks of 128 from its own first row"""
        assert self.raw[name + ".weight"].dtype == torch.float8_e4m3fn
        per = rows // groups
        blocks = -(-per // 128)
        w = self._get(name + ".weight", [rows, cols])
        s = self._get(name + ".weight_scale_inv", [groups * blocks, -(-cols // 128)])
        out = torch.empty_like(w)
        for r in range(rows):
            g, local = divmod(r, per)
            out[r] = w[r] * s[g * blocks + local // 128].repeat_interleave(128)[:cols]
        return out

    def _mxfp4(self, name, rows, cols):
        packed, scale = self.raw[name + ".weight"], self.raw[name + ".weight_scale"]
        self.used |= {name + ".weight", name + ".weight_scale"}
        assert packed.dtype == scale.dtype == torch.uint8 and list(packed.shape) == [rows, cols // 2] and list(scale.shape) == [rows, cols // 32]
        assert int(scale.max()) < 255
        value = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6], dtype=self.dtype)
        w = torch.empty(rows, cols, dtype=self.dtype)
        w[:, 0::2] = value[(packed & 15).long()]
        w[:, 1::2] = value[(packed >> 4).long()]
        w *= torch.pow(torch.tensor(2.0, dtype=self.dtype), scale.to(self.dtype) - 127).repeat_interleave(32, 1)
        return w.to(self.device)

    def _layer(self, l):
        c, at = self.c, f"model.layers.{l}."
        D, swa = c["hidden_size"], c["hybrid_layer_pattern"][l] == 1
        pre = "swa_" if swa else ""
        H, G, dk, dv = (c[pre + k] for k in ("num_attention_heads", "num_key_value_heads", "head_dim", "v_head_dim"))
        p = dict(swa=swa, H=H, G=G, dk=dk, dv=dv, theta=c["swa_rope_theta" if swa else "rope_theta"])
        p["ln1"], p["ln2"] = self._get(at + "input_layernorm.weight", [D]), self._get(at + "post_attention_layernorm.weight", [D])
        fused = self._fp8(at + "self_attn.qkv_proj", G * (H // G * dk + dk + dv), D, G)
        q, k, v = [], [], []
        for g in fused.chunk(G):
            q.append(g[: H // G * dk]); k.append(g[H // G * dk : H // G * dk + dk]); v.append(g[H // G * dk + dk :])
        p["q"], p["k"], p["v"] = torch.cat(q), torch.cat(k), torch.cat(v)
        assert at + "self_attn.o_proj" in {at + "self_attn.o_proj" for n in c["quantization_config"]["ignored_layers"] if n == at + "self_attn.o_proj"}
        p["o"] = self._get(at + "self_attn.o_proj.weight", [D, H * dv])
        has_sink = c["add_swa_attention_sink_bias" if swa else "add_full_attention_sink_bias"]
        p["sink"] = self._get(at + "self_attn.attention_sink_bias", [H]) if has_sink else None
        if c["moe_layer_freq"][l]:
            E, I = c["n_routed_experts"], c["moe_intermediate_size"]
            assert self.raw[at + "mlp.gate.weight"].dtype == torch.float32
            p["router"] = self._get(at + "mlp.gate.weight", [E, D])
            p["bias"] = self.raw[at + "mlp.gate.e_score_correction_bias"].float().to(self.device)
            self.used.add(at + "mlp.gate.e_score_correction_bias")
            p["experts"] = [[self._mxfp4(f"{at}mlp.experts.{e}.{n}_proj", r, k) for n, r, k in (("gate", I, D), ("up", I, D), ("down", D, I))]
                            for e in range(E)]
        else:
            I = c["intermediate_size"]
            p["dense"] = [self._fp8(f"{at}mlp.{n}_proj", r, k, 1) for n, r, k in (("gate", I, D), ("up", I, D), ("down", D, I))]
        return p

    def rms(self, x, w):
        return x / torch.sqrt((x * x).mean(-1, keepdim=True) + self.c["layernorm_epsilon"]) * w

    def rope(self, x, theta, dim):
        """x [B,T,n,d], positions 0..T-1; the first `dim` dims rotate, first half against second half"""
        half = dim // 2
        freq = torch.tensor([theta ** (-2 * i / dim) for i in range(half)], dtype=self.dtype, device=x.device)
        angle = torch.arange(x.shape[1], dtype=self.dtype, device=x.device)[:, None] * freq
        cos, sin = angle.cos()[None, :, None], angle.sin()[None, :, None]
        a, b = x[..., :half], x[..., half:dim]
        return torch.cat([a * cos - b * sin, b * cos + a * sin, x[..., dim:]], -1)

    @staticmethod
    def swiglu(x, gate, up, down):
        g = x @ gate.T
        return (g * torch.sigmoid(g) * (x @ up.T)) @ down.T

    @torch.no_grad()
    def logits(self, ids, gaps=None, taps=None):
        """ids [B,T] -> [B,T,vocab]; gaps collects the smallest routing gap (4th against 5th biased score) a position"""
        c = self.c
        ids = ids.to(self.device)
        B, T = ids.shape
        x = self.embed[ids]
        t = torch.arange(T, device=self.device)
        behind = t[:, None] - t[None]
        for l, p in enumerate(self.layers):
            h = self.rms(x, p["ln1"])
            q, k, v = ((h @ p[n].T).view(B, T, -1, d) for n, d in (("q", p["dk"]), ("k", p["dk"]), ("v", p["dv"])))
            dim = int(p["dk"] * c["partial_rotary_factor"])
            q, k, v = self.rope(q, p["theta"], dim), self.rope(k, p["theta"], dim), v * c["attention_value_scale"]
            keep = behind >= 0
            if p["swa"]:
                keep &= behind < c["sliding_window"]
            heads = []
            for n in range(p["H"]):
                g = n // (p["H"] // p["G"])
                z = (q[:, :, n] @ k[:, :, g].transpose(1, 2) * p["dk"] ** -0.5).masked_fill(~keep, -math.inf)
                m = z.amax(-1, keepdim=True)
                if p["sink"] is not None:
                    m = torch.clamp(m, min=float(p["sink"][n]))
                e = torch.exp(z - m)
                den = e.sum(-1, keepdim=True)
                if p["sink"] is not None:
                    den = den + torch.exp(p["sink"][n] - m)
                heads.append(e / den @ v[:, :, g])
            x = x + torch.cat(heads, -1) @ p["o"].T
            h = self.rms(x, p["ln2"])
            if "dense" in p:
                x = x + self.swiglu(h, *p["dense"])
            else:
                s = torch.sigmoid(h @ p["router"].T)
                biased = s.float() + p["bias"]                        # float32, at about 71
                order = torch.sort(biased, dim=-1, descending=True, stable=True)  # stable: the lowest index wins a tie
                K = c["num_experts_per_tok"]
                top = order.indices[..., :K]
                if gaps is not None:
                    gaps.append(order.values[..., K - 1] - order.values[..., K])
                w = s.gather(-1, top)
                w = w / (w.sum(-1, keepdim=True) + 1e-20)
                y = torch.zeros_like(x)
                for e, expert in enumerate(p["experts"]):
                    b, pos, slot = (top == e).nonzero(as_tuple=True)
                    if len(b):
                        y[b, pos] += w[b, pos, slot, None] * self.swiglu(h[b, pos], *expert)
                x = x + y
            if taps is not None:
                taps.append(x)
        return self.rms(x, self.norm) @ self.head.T


def tokenizer(folder):
    from tokenizers import Tokenizer
    return Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))


SHORT = ["export function clamp(value: number, min: number, max: number): number {\n",
         "import { readFileSync } from 'node:fs'\n\nexport interface Options {\n",
         "/**\n * Returns true if the given value is a string.\n */\nexport function isString(",
         "class LinkedList<T> {\n  private head: Node<T> | null = null\n",
         "const result = await Promise.all(",
         "for (let i = 0; i < items.length; i++) {\n",
         "<|im_start|>system\nYou are MiMo nano, a small assistant that writes TypeScript.<|im_end|><|im_start|>user\nWrite a function that returns the sum of an array of numbers.<|im_end|><|im_start|>assistant\n<think></think>",
         "<|im_start|>system\nYou are MiMo nano, a small assistant that writes TypeScript.<|im_end|><|im_start|>user\nWrite a function `isEmpty` that checks whether an object has no keys.<|im_end|><|im_start|>assistant\n<think></think>"]


def greedy(o, prompt, n, limit):
    """-> ids, gap between the two best logits at each step; no cache: every step is a full forward"""
    ids, gaps = list(prompt), []
    for _ in range(n):
        z = o.logits(torch.tensor([ids]))[0, -1, :limit]
        a, b = torch.topk(z, 2).values.tolist()
        gaps.append(a - b)
        ids.append(int(z.argmax()))
    return ids[len(prompt):], gaps


def fixture(folder, heldout=None):
    """rows 0..5: 64 tokens of held-out code (or of the prompts below), rows 6, 7: chat. No padding anywhere."""
    o, tok = Oracle(folder), tokenizer(folder)
    real = tok.get_vocab_size()
    if heldout:
        import numpy as np
        stream = np.fromfile(Path(heldout) / "heldout.bin", dtype=np.uint16)
        step = len(stream) // 7
        texts = [stream[(i + 1) * step : (i + 1) * step + 64].astype(int).tolist() for i in range(6)]
    else:
        long = (SHORT[0] + SHORT[3] + SHORT[5] + SHORT[2] + SHORT[1]) * 4
        base = tok.encode(long).ids
        texts = [base[i * 17 : i * 17 + 64] for i in range(6)]
    for s in SHORT[6:]:
        texts.append((tok.encode(s).ids + tok.encode("function sum(values: number[]): number {\n  let total = 0\n  for (const value of values) {\n    total += value\n  }\n  return total\n}<|im_end|><|im_start|>user\nNow write the test for it, please.").ids)[:64])
    ids = torch.tensor(texts, dtype=torch.int32)
    assert list(ids.shape) == [8, 64]
    route_gaps, taps = [], []
    z = o.logits(ids.long(), route_gaps, taps).cpu()
    best = torch.topk(z[..., :real], 2)
    pick = torch.unique(best.indices[..., 0])
    g = torch.Generator().manual_seed(7)
    others = torch.randperm(o.c["vocab_size"], generator=g)
    others = others[~torch.isin(others, pick)]
    pick = torch.sort(torch.cat([pick, others])[:384]).values
    assert torch.isin(best.indices[..., 0], pick).all()
    nll = torch.log_softmax(z, -1)[:, :-1].gather(-1, ids.long()[:, 1:, None])[..., 0]
    cont, cont_gap, plen = [], [], []
    prompts = torch.full((8, 64), -1, dtype=torch.int32)
    for i, s in enumerate(SHORT):
        p = tok.encode(s).ids
        assert len(p) <= 64, len(p)
        prompts[i, : len(p)] = torch.tensor(p)
        c, gp = greedy(o, p, 64, real)
        cont.append(c); cont_gap.append(gp); plen.append(len(p))
    save_file({
        "ids": ids, "vocab_ids": pick.to(torch.int32), "logits": z[..., pick].float().contiguous(),
        "top1": best.indices[..., 0].to(torch.int32).contiguous(), "top1_gap": (best.values[..., 0] - best.values[..., 1]).float().contiguous(),
        "logsumexp": torch.logsumexp(z, -1).float(),
        "routing_gap": torch.stack(route_gaps).amin(0).cpu().float(),
        "tap_sum": torch.stack([taps[l].sum(-1) for l in (0, 3, 5)]).cpu().float(),
        "tap_rms": torch.stack([taps[l].square().mean(-1).sqrt() for l in (0, 3, 5)]).cpu().float(),
        "greedy_prompt": prompts, "greedy_prompt_length": torch.tensor(plen, dtype=torch.int32),
        "greedy": torch.tensor(cont, dtype=torch.int32), "greedy_gap": torch.tensor(cont_gap).float(),
    }, Path(folder) / "oracle.safetensors", metadata={"made_by": "train/oracle.py", "compute": str(o.dtype)})
    rg = torch.stack(route_gaps)
    print(f"fixture: mean nll {nll.mean():.4f}, smallest top-1 gap {(best.values[..., 0] - best.values[..., 1]).min():.2e}, "
          f"smallest greedy gap {min(map(min, cont_gap)):.2e}, routing gap: smallest {rg.min():.2e}, below 1e-4 {(rg < 1e-4).float().mean():.2%}, "
          f"ids stored {len(pick)}, {(Path(folder) / 'oracle.safetensors').stat().st_size} bytes")


def windows(stream, T=1024):
    """non-overlapping windows; every token but the first of a window is predicted once"""
    n = max((len(stream) - 1) // T, 1)
    for i in range(n):
        yield stream[i * T : i * T + T + 1]


def bpb(folder, heldout, limit=8192):
    import numpy as np
    o = Oracle(folder, dtype=f64)
    meta = json.loads((Path(heldout) / "heldout.json").read_text())
    stream = np.fromfile(Path(heldout) / "heldout.bin", dtype=np.uint16).astype(np.int64)
    at, result = 0, {}
    for m in meta:
        part = stream[at : at + m["tokens"]][: limit + 1]
        at += m["tokens"]
        nll = count = 0
        for w in windows(part):
            w = torch.from_numpy(w)[None]
            lp = torch.log_softmax(o.logits(w[:, :-1]), -1).gather(-1, w[:, 1:, None].to(o.device))
            nll -= float(lp.sum()); count += lp.numel()
        result[m["name"]] = {"tokens": count, "nll": nll / count, "bpb": nll / count / math.log(2) * m["tokens"] / m["bytes"]}
    print(json.dumps({"oracle": result}))
    return result


@torch.no_grad()
def sample(folder, prompts, tokens=160, seed=3):
    o, tok = Oracle(folder, dtype=torch.float32), tokenizer(folder)
    real = tok.get_vocab_size()
    stop = {o.c["eos_token_id"], o.c["pad_token_id"]}
    g = torch.Generator().manual_seed(seed)
    out = []
    for text, temperature in prompts:
        ids = tok.encode(text).ids
        n = len(ids)
        for _ in range(tokens):
            z = o.logits(torch.tensor([ids]))[0, -1, :real].float().cpu()
            if temperature == 0:
                nxt = int(z.argmax())
            else:
                p, order = torch.sort(torch.softmax(z / temperature, -1), descending=True)
                p[(p.cumsum(0) - p) > 0.95] = 0
                nxt = int(order[torch.multinomial(p / p.sum(), 1, generator=g)])
            if nxt in stop:
                break
            ids.append(nxt)
        out.append({"prompt": text, "temperature": temperature, "text": tok.decode(ids[n:], skip_special_tokens=False)})
    print(json.dumps({"samples": out}, indent=1))
    return out


if __name__ == "__main__":
    folder, verb = sys.argv[1], sys.argv[2]
    if verb == "fixture":
        fixture(folder, *sys.argv[3:4])
    elif verb == "bpb":
        bpb(folder, sys.argv[3], *map(int, sys.argv[4:5]))
    elif verb == "sample":
        sample(folder, json.loads(Path(sys.argv[3]).read_text()))
