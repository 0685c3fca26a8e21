"""The real loop: draft, verify, accept, commit, until a stop token or the length; how many tokens a round brings.

  evaluate.py report  HELDOUT.json NANO_DIR [tokens]   acceptance on held-out prompts, T = 0 and T = 0.7
  evaluate.py lossless HELDOUT.json NANO_DIR [tokens]  greedy rounds against greedy decoding one token at a time
  evaluate.py fixture HELDOUT.json NANO_DIR            writes oracle.safetensors beside this file (float64)

A round emits its accepted proposals and one token of the target's own: 1 to 8. At T > 0 the target's token of each row is drawn and a proposal
is accepted if it is that token, which leaves the target's distribution as it is.
"""
import json, sys
from pathlib import Path
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from drafter import Config, context, enter, keys_values, layer, leave, load, of_layer
from target import Target, accurate

STOP = (4071, 4069)                                          # end of turn, end of text


class Loop:
    """many sequences side by side, each at its own position"""

    def __init__(self, target, cfg, W, prompts, room):
        self.t, self.cfg, self.W = target, cfg, W
        dev, B = target.device, len(prompts)
        P = max(map(len, prompts))
        ids = torch.zeros(B, P, dtype=torch.long, device=dev)
        for i, p in enumerate(prompts):
            ids[i, : len(p)] = torch.tensor(p)
        self.start = torch.tensor([len(p) for p in prompts], device=dev)       # position of the newest token
        self.cache = target.cache(B, P + room + cfg.block)
        new = lambda: torch.zeros(B, P + room + cfg.block, cfg.G, cfg.hd, device=dev, dtype=target.dtype)
        self.kv = [(new(), new()) for _ in range(cfg.L)]
        self.layers = [of_layer(W, l) for l in range(cfg.L)]
        self.b = torch.arange(B, device=dev)[:, None]
        zero = torch.zeros(B, dtype=torch.long, device=dev)
        x, taps = target.rows(ids, zero, self.cache, cfg.taps)
        self.commit(taps, zero)
        self.first = target.logits(x[self.b[:, 0], self.start - 1])            # what the first newest token is chosen from
        self.context = context(cfg, W, taps)

    def commit(self, taps, at):
        """rows beyond the accepted ones are written too: nothing sees a row at or after the newest token before it is written again"""
        pos = at[:, None] + torch.arange(taps.shape[1], device=taps.device)
        c = context(self.cfg, self.W, taps)
        for w, (K, V) in zip(self.layers, self.kv):
            K[self.b, pos], V[self.b, pos] = keys_values(self.cfg, w, c, pos)

    def draft(self, newest):
        x = enter(self.cfg, self.W, F.embedding(newest, self.t.embed)[:, None])
        for w, kv in zip(self.layers, self.kv):
            x = layer(self.cfg, w, x, self.start[:, None], *kv)
        return accurate(F.linear(leave(self.cfg, self.W, x)[:, 0], self.t.head))                              # [B,7,ids]

    def verify(self, newest, proposals, choose):
        """-> accepted [B], the target's tokens [B,8], its logits; everything committed"""
        x, taps = self.t.rows(torch.cat([newest[:, None], proposals], 1), self.start, self.cache, self.cfg.taps)
        z = self.t.logits(x)
        own = choose(z)
        accepted = torch.cumprod((proposals == own[:, :-1]).long(), 1).sum(1)
        self.commit(taps, self.start)
        return accepted, own, z


def chooser(temperature, seed=5):
    if temperature == 0:
        return lambda z: z.argmax(-1)
    g = torch.Generator(device="cpu").manual_seed(seed)

    def draw(z):
        gen = g if z.device.type == "cpu" else None
        noise = torch.empty_like(z).exponential_(generator=gen).clamp_(min=1e-20).log_()
        return (z / temperature - noise).argmax(-1)

    return draw


@torch.no_grad()
def speculate(target, cfg, W, prompts, tokens, temperature):
    """-> for each prompt its emitted tokens (the one after the prompt included) and tokens of each round"""
    loop, choose = Loop(target, cfg, W, prompts, tokens), chooser(temperature)
    newest = choose(loop.first)
    text, rounds = [[i] for i in newest.tolist()], [[] for _ in prompts]
    done = [t[0] in STOP for t in text]
    while not all(done):
        accepted, own, _ = loop.verify(newest, loop.draft(newest).argmax(-1), choose)
        for i, (a, row) in enumerate(zip(accepted.tolist(), own.tolist())):
            if done[i]:
                continue
            new = row[: a + 1]
            stop = next((k for k, token in enumerate(new) if token in STOP), None)
            new = new if stop is None else new[: stop + 1]
            text[i] += new
            rounds[i].append(len(new))
            done[i] = stop is not None or len(text[i]) >= tokens
        still = torch.tensor([not d for d in done], device=newest.device)
        newest = torch.where(still, own.gather(1, accepted[:, None])[:, 0], newest)
        loop.start = torch.where(still, loop.start + accepted + 1, loop.start)
    return text, rounds


def figures(cfg, rounds, early=64):
    """over all rounds; `first_64`: only rounds that begin within the first 64 tokens, before most greedy loops set in"""
    flat = [r for own in rounds for r in own]
    start, head, means = 0, [], []
    for own in rounds:
        at = 1
        for r in own:
            head += [r] if at < early else []
            at += r
        means += [sum(own) / len(own)] if own else []
    count = [flat.count(k) for k in range(1, cfg.block + 1)]
    return {"tokens_a_round": round(sum(flat) / len(flat), 3), "first_64": round(sum(head) / len(head), 3), "mean_of_prompts": round(sum(means) / len(means), 3),
            "rounds": len(flat), "histogram": [round(n / len(flat), 3) for n in count],
            "reached_by_slot": [round(sum(count[k:]) / len(flat), 3) for k in range(1, cfg.block)]}


def report(target, cfg, W, heldout, tokens):
    kinds = list(heldout)
    prompts = [p["ids"] for k in kinds for p in heldout[k]]
    result = {}
    for temperature in (0, 0.7):
        _, rounds = speculate(target, cfg, W, prompts, tokens, temperature)
        at = 0
        for k in kinds:
            result[f"{k} T={temperature}"] = figures(cfg, rounds[at : at + len(heldout[k])])
            at += len(heldout[k])
    return result


@torch.no_grad()
def lossless(target, cfg, W, prompts, tokens):
    text, _ = speculate(target, cfg, W, prompts, tokens, 0)
    loop = Loop(target, cfg, W, prompts, tokens)
    newest, plain = loop.first.argmax(-1), []
    for _ in range(tokens):
        plain.append(newest)
        x, _ = target.rows(newest[:, None], loop.start, loop.cache, cfg.taps)
        loop.start, newest = loop.start + 1, target.logits(x)[:, 0].argmax(-1)
    plain = torch.stack(plain, 1).tolist()
    same = sum(a[:tokens] == b[: min(len(a), tokens)] for a, b in zip(text, plain))
    print(f"greedy rounds equal greedy decoding: {same} of {len(prompts)}")


@torch.no_grad()
def fixture(target, cfg, W, prompts, path, rounds=24, detailed=(0, 7)):
    """greedy rounds, running through stop tokens; `detailed` rounds come with draft logits of all rows at 256 ids"""
    loop = Loop(target, cfg, W, prompts, rounds * cfg.block)
    newest, rec, logits = loop.first.argmax(-1), {k: [] for k in ("newest", "position", "proposals", "accepted", "draft_gap", "target_gap")}, []
    for r in range(rounds):
        z = loop.draft(newest)
        best = z.topk(2)
        d = best.indices[..., 0]
        rec["newest"].append(newest); rec["position"].append(loop.start)
        rec["proposals"].append(d); rec["draft_gap"].append(best.values[..., 0] - best.values[..., 1])
        logits += [z] if r in detailed else []
        accepted, own, zt = loop.verify(newest, d, chooser(0))
        top = zt.topk(2).values
        rec["accepted"].append(accepted); rec["target_gap"].append(top[..., 0] - top[..., 1])
        newest, loop.start = own.gather(1, accepted[:, None])[:, 0], loop.start + accepted + 1
    rec = {k: torch.stack(v, 1) for k, v in rec.items()}
    z = torch.stack(logits, 1).cpu()                                            # [4,2,7,ids]
    pick = torch.unique(z.argmax(-1))
    g = torch.Generator().manual_seed(7)
    others = torch.randperm(z.shape[-1], generator=g)
    pick = torch.sort(torch.cat([pick, others[~torch.isin(others, pick)]])[:256]).values
    padded = torch.full((len(prompts), max(map(len, prompts))), -1, dtype=torch.int32)
    for i, p in enumerate(prompts):
        padded[i, : len(p)] = torch.tensor(p)
    data = {"prompt": padded, "prompt_length": torch.tensor([len(p) for p in prompts]), "detailed_rounds": torch.tensor(detailed), "vocab_ids": pick,
            "draft_logits": z[..., pick], "draft_logsumexp": z.logsumexp(-1), "context": loop.context[:, :8]} | rec
    data = {k: v.to(torch.int32 if not v.is_floating_point() else torch.float32).contiguous() for k, v in data.items()}
    save_file(data, path, metadata={"made_by": "train/drafter/evaluate.py", "compute": str(target.dtype)})
    Path(path).chmod(0o644)
    mean = 1 + rec["accepted"].float().mean(1)
    print(f"fixture: tokens a round {[round(float(m), 2) for m in mean]}, smallest gap of a proposal {rec['draft_gap'].min():.2e}, "
          f"of a verified row {rec['target_gap'].min():.2e}, {Path(path).stat().st_size} bytes")


if __name__ == "__main__":
    verb, heldout, nano = sys.argv[1], json.loads(Path(sys.argv[2]).read_text()), Path(sys.argv[3])
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.float64 if verb == "fixture" else torch.float32
    target, cfg, W = Target(nano, device, dtype), Config(nano / "dflash/config.json"), load(nano / "dflash", device, dtype)
    tokens = int(sys.argv[4]) if len(sys.argv) > 4 else 256
    if verb == "fixture":
        chosen = heldout["code"][::64] + heldout["chat"][::32]
        fixture(target, cfg, W, [p["ids"] for p in chosen], Path(__file__).resolve().parent / "oracle.safetensors")
    elif verb == "lossless":
        lossless(target, cfg, W, [p["ids"] for k in heldout for p in heldout[k]], tokens)
    else:
        for k, v in report(target, cfg, W, heldout, tokens).items():
            print(k, json.dumps(v))
