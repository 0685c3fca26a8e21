"""Trains the drafter on one GPU against the wall clock: the target writes, the drafter learns to foresee what it wrote, the real loop judges.

  train.py PROMPTS.npz HELDOUT.json NANO_DIR DFLASH_DIR OUT_DIR [--write 45] [--seconds 200]

DFLASH_DIR holds config.json and receives the weights. OUT_DIR/train.json receives curve and figures.
1. Writing: sequences of 512 tokens from every prompt, a quarter greedy, 35 % at T = 0.7 to 1, the others by turns greedy and at T = 0.8, so that
   greedy text is also learned where greedy decoding alone would never get to. Taps are kept as they were when the token was written.
2. Learning: 64 random anchors of each of 64 sequences a step, anywhere in what the target wrote. Labels are the tokens written; half of the weight
   lies on the target's own distribution at T = 0.7. D-PACE weights: a slot counts as far as the slots before it are likely to be right.
3. Muon for matrices, AdamW for gains, sinks and the mask vector; warm-up, constant, linear decay over the second half.
"""
import argparse, json, math, time
from pathlib import Path
import numpy as np
import torch
import torch.nn.functional as F
from drafter import Config, context, effective, enter, init, keys_values, layer, leave, of_layer, save
from evaluate import report
from target import Target, rms

ap = argparse.ArgumentParser()
ap.add_argument("prompts"); ap.add_argument("heldout"); ap.add_argument("nano"); ap.add_argument("dflash"); ap.add_argument("out")
ap.add_argument("--write", type=float, default=45)         # seconds of writing at most
ap.add_argument("--seconds", type=float, default=200)      # of learning, compilation not counted
ap.add_argument("--deadline", type=float, default=1e9)     # seconds from the start of the process by which learning ends
ap.add_argument("--length", type=int, default=512)
ap.add_argument("--chunk", type=int, default=8192)         # sequences written at a time
ap.add_argument("--batch", type=int, default=64)
ap.add_argument("--anchors", type=int, default=64)
ap.add_argument("--muon-lr", type=float, default=5e-3)
ap.add_argument("--adam-lr", type=float, default=2e-3)
ap.add_argument("--wd", type=float, default=0.1)
ap.add_argument("--soft", type=float, default=0.5)
ap.add_argument("--pace", type=float, default=0.5)
ap.add_argument("--decay", type=float, default=0.5)
ap.add_argument("--evaluations", type=int, default=4)
ap.add_argument("--tokens", type=int, default=256)         # of each evaluated answer
ap.add_argument("--device", default="cuda")
ap.add_argument("--no-compile", action="store_true")
args = ap.parse_args()
born, dev = time.time(), args.device
sync = torch.cuda.synchronize if dev == "cuda" else lambda: None
say = lambda *a: print(f"[{time.time() - born:6.1f} s]", *a, flush=True)
torch.manual_seed(0)
out = Path(args.out); out.mkdir(parents=True, exist_ok=True)
cfg = Config(Path(args.dflash) / "config.json")
heldout = json.loads(Path(args.heldout).read_text())
writer = Target(args.nano, dev, torch.bfloat16)
judge = Target(args.nano, dev, torch.float32)
S = args.length                                              # longer than any prompt

# ---- 1. the target writes
with np.load(args.prompts) as z:
    flat, sizes = z["tokens"].astype(np.int64), z["lengths"].astype(np.int64)
ends = np.cumsum(sizes)
padded = np.zeros((len(sizes), int(sizes.max())), np.int64)
for i, (e, n) in enumerate(zip(ends, sizes)):
    padded[i, :n] = flat[e - n : e]
padded, sizes = torch.from_numpy(padded).to(dev), torch.from_numpy(sizes).to(dev)


def temperatures(B):
    """[S,B]"""
    u = torch.rand(B, device=dev)
    hot = torch.tensor([0.7, 0.7, 0.8, 1.0], device=dev)[torch.randint(4, (B,), device=dev)]
    warm, cool = torch.randint(8, 25, (B,), device=dev), torch.randint(16, 65, (B,), device=dev)
    phase = torch.randint(0, 96, (B,), device=dev)
    turns = ((torch.arange(S, device=dev)[:, None] + phase) % (warm + cool) < warm) * 0.8
    return torch.where(u < 0.25, 0.0, torch.where(u < 0.6, hot, turns))


chunks = len(sizes) // args.chunk
ids = torch.zeros(chunks * args.chunk, S, dtype=torch.int32, device=dev)
taps = torch.zeros(chunks * args.chunk, S, len(cfg.taps) * cfg.D, dtype=torch.bfloat16, device=dev)
say(f"loaded; {len(sizes)} prompts")
kv, started, written = None, time.time(), 0
for i in range(chunks):
    a, b = i * args.chunk, (i + 1) * args.chunk
    kv = writer.generate(padded[a:b], sizes[a:b], temperatures(b - a), cfg.taps, ids[a:b], taps[a:b], kv)
    sync()
    written = b
    spent = time.time() - started
    if spent * (i + 2) / (i + 1) > args.write:
        break
del kv
ids, taps, sizes = ids[:written], taps[:written], sizes[:written]
say(f"wrote {written} sequences, {written * S - int(sizes.sum())} new tokens in {spent:.1f} s")
with torch.no_grad():                                        # the fast writer against the plain form in float32
    few = ids[:16].long()
    x, seen = judge.rows(few, torch.zeros(16, dtype=torch.long, device=dev), judge.cache(16, S), cfg.taps)
    err = ((seen - taps[:16].float()).square().mean(-1) / seen.square().mean(-1)).sqrt()
    say(f"taps of writer against float32: relative error median {err.median():.4f}, largest {err.max():.4f}")
    whiten = taps[:64].float().square().mean((0, 1)).rsqrt()

# ---- 2. what is learned
p = init(cfg, judge.norm, dev)
embed, head = writer.embed, writer.head
last = cfg.taps.index(len(writer.layers) - 1)                # of this tap the target's own logits are one product away
slots = torch.arange(1, cfg.block, device=dev)


def learning_layer(cfg, w, x, anchors, c):
    return layer(cfg, w, x, anchors, *keys_values(cfg, w, c, torch.arange(c.shape[1], device=c.device)))


def price(x, labels, before, soft, pace):
    """final rows and the target's residual stream one position before each -> loss, tokens a round if the text were forced, right by slot"""
    lq = torch.log_softmax(F.linear(x, head).float(), -1)
    ce = -lq.gather(-1, labels[..., None])[..., 0]
    with torch.no_grad():
        target = torch.softmax(F.linear(rms(before, writer.norm, writer.eps), head).float() / 0.7, -1)
        likely = torch.cumprod((1 - pace) * torch.exp(-ce) + pace, -1)
        weight = likely.flip(-1).cumsum(-1).flip(-1)
        right = (lq.argmax(-1) == labels).float()
        foreseen = 1 + torch.cumprod(right, -1).sum(-1).mean()
    cross = -(target * lq).sum(-1)
    return (weight * ((1 - soft) * ce + soft * cross)).sum() / weight.sum(), foreseen, right.mean((0, 1))


def objective(seq, tap, anchors):
    W = effective(p, whiten, embed.dtype)
    c = context(cfg, W, tap)
    x = enter(cfg, W, F.embedding(seq.gather(1, anchors), embed))
    for l in range(cfg.L):
        x = learning_layer(cfg, of_layer(W, l), x, anchors, c)
    at = anchors[..., None] + slots                                                                 # positions of the labels
    labels = seq.gather(1, at.flatten(1)).view(at.shape)
    rows = torch.arange(len(seq), device=dev)[:, None, None]
    before = tap[..., last * cfg.D : (last + 1) * cfg.D][rows, at - 1]
    return price(leave(cfg, W, x), labels, before, args.soft, args.pace)


class Muon:
    """orthogonalised momentum for stacks of matrices of one shape; update rms 0.2 * sqrt(longer side)"""

    def __init__(self, params):
        self.groups = {}
        for w in params:
            self.groups.setdefault((min(w.shape), max(w.shape)), []).append(w)
        self.buf = {k: torch.zeros(len(ws), *k, device=dev) for k, ws in self.groups.items()}

    @torch.no_grad()
    def step(self, lr):
        for shape, ws in self.groups.items():
            flip = [w.shape[0] > w.shape[1] for w in ws]
            u = orthogonal(self.buf[shape], torch.stack([w.grad.T if f else w.grad for w, f in zip(ws, flip)])) * (0.2 * shape[1] ** 0.5)
            torch._foreach_mul_(ws, 1 - lr * args.wd)
            torch._foreach_add_(ws, [d.T if f else d for d, f in zip(u, flip)], alpha=-lr)


def orthogonal(buf, g, momentum=0.95):
    buf.lerp_(g, 1 - momentum)
    x = torch.lerp(g, buf, momentum).bfloat16()
    x = x / (x.float().square().sum((-2, -1), keepdim=True).sqrt() + 1e-7).bfloat16()
    for _ in range(5):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * (a @ a)) @ x
    return x.float()


if not args.no_compile:
    learning_layer, price, orthogonal = (torch.compile(f, fullgraph=True, dynamic=False) for f in (learning_layer, price, orthogonal))
muon = Muon([v for v in p.values() if v.ndim == 2])
adam = torch.optim.AdamW([v for v in p.values() if v.ndim == 1], lr=args.adam_lr, betas=(0.9, 0.95), eps=1e-10, weight_decay=0.0, fused=dev == "cuda")


def step(rows, lr):
    lo = sizes[rows, None]
    anchors = lo + (torch.rand(len(rows), args.anchors, device=dev) * (S - cfg.block + 1 - lo)).long()
    value, foreseen, right = objective(ids[rows].long(), taps[rows], anchors)
    value.backward()
    muon.step(args.muon_lr * lr)
    for g in adam.param_groups:
        g["lr"] = args.adam_lr * lr
    adam.step()
    for v in p.values():
        v.grad = None
    return value, foreseen, right


def order():
    while True:
        perm = torch.randperm(written, device=dev)
        for i in range(0, written - args.batch + 1, args.batch):
            yield perm[i : i + args.batch]


def examine(tokens, prompts=None):
    some = heldout if prompts is None else {k: v[:prompts] for k, v in heldout.items()}
    with torch.no_grad():
        return report(judge, cfg, effective(p, whiten, torch.float32), some, tokens)


source = order()
keep = {k: v.detach().clone() for k, v in p.items()}         # compilation happens before the clock starts
for _ in range(2):
    step(next(source), 0.0)
sync()
with torch.no_grad():
    for k, v in p.items():
        v.copy_(keep[k])
for b in muon.buf.values():
    b.zero_()
adam.state.clear()
args.seconds = min(args.seconds, args.deadline - (time.time() - born))
say(f"compiled; learning for {args.seconds:.0f} s")

curve, looked, n, clock, begun = [], 1, 0, 0.0, time.time()
while (t := (time.time() - begun - clock) / args.seconds) < 1:
    value, foreseen, right = step(next(source), min(t / 0.02, 1.0) * min((1 - t) / args.decay, 1.0))
    n += 1
    if n % 10 == 0:
        sync()                                              # keeps the clock honest
    if n in (20, 100) or n % 500 == 0:
        curve.append({"step": n, "seconds": round(t * args.seconds, 1), "loss": round(float(value.detach()), 4), "foreseen": round(float(foreseen), 3)})
        say(json.dumps(curve[-1]))
        if not math.isfinite(curve[-1]["loss"]):
            raise SystemExit("diverged")
    if args.evaluations and t > looked / (args.evaluations + 1):
        looked += 1
        pause = time.time()
        save(args.dflash, effective(p, whiten, torch.bfloat16))
        quick = {k: v["tokens_a_round"] for k, v in examine(96, 48).items()}
        curve.append({"step": n, "seconds": round(t * args.seconds, 1), "real_loop": quick})
        say(json.dumps(curve[-1]))
        clock += time.time() - pause
save(args.dflash, effective(p, whiten, torch.bfloat16))
say(f"learned {n} steps, {n * args.batch * args.anchors} blocks; right by slot {[round(float(r), 3) for r in right]}")
result = {"steps": n, "sequences": written, "new_tokens": written * S - int(sizes.sum()), "args": vars(args), "curve": curve}
(out / "train.json").write_text(json.dumps(result, indent=1))
result["evaluation"] = examine(args.tokens)
(out / "train.json").write_text(json.dumps(result, indent=1))
for k, v in result["evaluation"].items():
    say(k, json.dumps(v))
