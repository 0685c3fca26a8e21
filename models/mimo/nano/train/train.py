"""Trains nano on one GPU against the wall clock, then exports and checks.

  train.py TOKENS_DIR NANO_DIR OUT_DIR --seconds 440 [--resume OUT_DIR/checkpoint.pt]

The schedule is a function of elapsed time: warm-up, constant, and a linear decay over the last 45 %. MXFP4/FP8 fake quantisation of
the weights fades in between 25 % and 35 % and is complete from then on. Muon for matrices, AdamW for embedding, head, router, gains, sinks.
Router balance: aux-loss-free, the correction bias moves by +-rate a step; the rate falls with the learning rate.
"""
import argparse, json, math, time
from pathlib import Path
import numpy as np
import torch
from export import export
from model import Config, effective, init, init_bias, loss

ap = argparse.ArgumentParser()
ap.add_argument("tokens"); ap.add_argument("nano"); ap.add_argument("out")
ap.add_argument("--seconds", type=float, default=440)      # of training proper, compilation not counted
ap.add_argument("--batch", type=int, default=64)
ap.add_argument("--length", type=int, default=1024)
ap.add_argument("--muon-lr", type=float, default=3e-3)
ap.add_argument("--adam-lr", type=float, default=3e-3)
ap.add_argument("--wd", type=float, default=0.1)
ap.add_argument("--drop", type=float, default=0.0)      # on what attention and MLP add to the residual stream
ap.add_argument("--decay", type=float, default=0.45)
ap.add_argument("--deadline", type=float, default=1e9)     # seconds from start of the process by which training must have ended
ap.add_argument("--resume")
ap.add_argument("--device", default="cuda")
ap.add_argument("--no-compile", action="store_true")
args = ap.parse_args()
born = time.time()
dev = args.device
torch.manual_seed(0)
out = Path(args.out); out.mkdir(parents=True, exist_ok=True)
cfg = Config(Path(args.nano) / "config.json")
p, bias = init(cfg, dev), init_bias(cfg, dev)
if args.resume:
    ck = torch.load(args.resume, map_location=dev, weights_only=True)
    with torch.no_grad():
        for k, v in ck["params"].items():
            p[k].copy_(v)
    bias = ck["bias"]

stream = torch.from_numpy(np.fromfile(Path(args.tokens) / "train.bin", dtype=np.uint16).astype(np.int32)).to(dev)
held = torch.from_numpy(np.fromfile(Path(args.tokens) / "heldout.bin", dtype=np.uint16).astype(np.int64))
meta = json.loads((Path(args.tokens) / "heldout.json").read_text())
B, T = args.batch, args.length
print(f"tokens {len(stream)}, parameters {sum(v.numel() for v in p.values())}, loaded after {time.time() - born:.1f} s", flush=True)


# ---- batches: every epoch starts at another offset and is read in another order
def batches(seed):
    g = torch.Generator().manual_seed(seed)
    while True:
        shift = int(torch.randint(0, T, (1,), generator=g))
        n = (len(stream) - 1 - shift) // T
        order = torch.randperm(n, generator=g).to(dev)
        span = torch.arange(T + 1, device=dev)
        for i in range(0, n - B + 1, B):
            yield stream[shift + order[i : i + B, None] * T + span].long()


# ---- optimiser
class Muon:
    """orthogonalised momentum for stacks of matrices of one shape, update rms 0.2 * sqrt(max(rows, cols))"""

    def __init__(self, params, wd=0.1, momentum=0.95):
        self.wd, self.momentum, self.groups = wd, momentum, {}
        for w in params:
            r, c = w.shape[-2:]
            self.groups.setdefault((min(r, c), max(r, c)), []).append(w)
        self.buf = {k: torch.zeros(sum(w.numel() // (k[0] * k[1]) for w in ws), *k, device=dev) for k, ws in self.groups.items()}

    @staticmethod
    def flat(w):
        w = w.reshape(-1, *w.shape[-2:])
        return w.transpose(1, 2) if w.shape[1] > w.shape[2] else w

    @torch.no_grad()
    def step(self, lr):
        for shape, ws in self.groups.items():
            g = torch.cat([self.flat(w.grad) for w in ws])
            u = orthogonal(self.buf[shape], g, self.momentum) * (0.2 * shape[1] ** 0.5)
            at = 0
            for w in ws:
                n = w.numel() // (shape[0] * shape[1])
                d = u[at : at + n]; at += n
                d = (d.transpose(1, 2) if w.shape[-2] > w.shape[-1] else d).reshape(w.shape)
                w.mul_(1 - lr * self.wd).add_(d, alpha=-lr)


def orthogonal(buf, g, momentum):
    buf.lerp_(g, 1 - momentum)
    x = torch.lerp(g, buf, momentum).bfloat16()
    x = x / (x.float().square().sum((-2, -1), keepdim=True).sqrt() + 1e-7).bfloat16()
    for _ in range(5):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * (a @ a)) @ x
    return x.float()


ADAM = ("embed", "head", "norm", "ln1", "ln2", "router", "sink")
matrices = [v for k, v in p.items() if k.split(".")[-1] not in ADAM]
rest = {k: v for k, v in p.items() if k.split(".")[-1] in ADAM}
scale = lambda k: 3.0 if k.endswith("sink") else 1.0
muon = Muon(matrices, args.wd)
adam = torch.optim.AdamW([{"params": [v], "scale": scale(k), "lr": 0.0, "weight_decay": 0.01 if v.ndim == 2 else 0.0} for k, v in rest.items()],
                         betas=(0.9, 0.95), eps=1e-10, fused=dev == "cuda")

lam = torch.zeros((), device=dev)
compute = torch.bfloat16
weights = lambda lam: effective(cfg, p, lam, compute)
objective = lambda W, bias, ids: loss(cfg, W, bias, ids[:, :-1], ids[:, 1:], drop=args.drop)
if not args.no_compile:
    weights, objective, orthogonal = torch.compile(weights), torch.compile(objective), torch.compile(orthogonal)


def schedule(t):
    """t in [0, 1] -> learning rate factor"""
    return min(t / 0.01, 1.0) * (1.0 if t < 1 - args.decay else max((1 - t) / args.decay, 0.0))


@torch.no_grad()
def evaluate(limit, dtype=torch.float32, lam=1.0):
    """held-out packages, windows of 1024 with no carried context; tokens are converted to bytes package by package"""
    W = effective(cfg, p, lam, dtype)
    at, rows, bits, size = 0, {}, 0.0, 0
    for m in meta:
        part = held[at : at + m["tokens"]][: limit + 1]; at += m["tokens"]
        n = (len(part) - 1) // 1024
        ids = torch.stack([part[i * 1024 : i * 1024 + 1025] for i in range(n)]).to(dev)
        nll = 0.0
        for b in ids.split(8):
            nll += float(loss(cfg, W, bias, b[:, :-1], b[:, 1:], fast=False, reduction="sum")[0])
        nll /= n * 1024
        per_byte = nll / math.log(2) * m["tokens"] / m["bytes"]
        rows[m["name"]] = {"tokens": n * 1024, "nll": nll, "bpb": per_byte}
        bits += per_byte * m["bytes"]; size += m["bytes"]
    return bits / size, rows


def save(name="checkpoint.pt"):
    torch.save({"params": {k: v.detach().cpu() for k, v in p.items()}, "bias": {k: v.cpu() for k, v in bias.items()}}, out / name)


def train_step(ids, lr, rate):
    value, loads = objective(weights(lam), bias, ids)
    value.backward()
    muon.step(args.muon_lr * lr)
    for g in adam.param_groups:
        g["lr"] = args.adam_lr * g["scale"] * lr
    adam.step()
    for v in p.values():
        v.grad = None
    with torch.no_grad():
        for b, load in zip(bias.values(), loads):
            b.add_(torch.sign(load.mean() - load), alpha=rate)
    return value, loads


source = batches(int(born) if args.resume else 1)
# compile before the clock starts: the weights are put back afterwards
keep = {k: v.detach().clone() for k, v in p.items()}
keep_bias = {k: v.clone() for k, v in bias.items()}
for _ in range(3):
    train_step(next(source), 0.0, 0.0)
if dev == "cuda":
    torch.cuda.synchronize()
with torch.no_grad():
    for k, v in p.items():
        v.copy_(keep[k])
    for k, v in bias.items():
        v.copy_(keep_bias[k])
    for b in muon.buf.values():
        b.zero_()
    adam.state.clear()
print(f"compiled after {time.time() - born:.1f} s", flush=True)

seconds = min(args.seconds, args.deadline - (time.time() - born))
start, step, curve, saved = time.time(), 0, [], 0
while True:
    t = (time.time() - start) / seconds
    if t >= 1:
        break
    lam.fill_(1.0 if args.resume else min(max((t - 0.25) / 0.10, 0.0), 1.0))
    lr = schedule(t)
    value, loads = train_step(next(source), lr, 1e-3 * lr)
    step += 1
    if step % 10 == 0 and dev == "cuda":
        torch.cuda.synchronize()      # keeps the clock honest
    if step == 20 or step % 250 == 0:
        v = float(value.detach())
        imbalance = max(float(l.max() / l.mean()) for l in loads)
        curve.append({"step": step, "t": round(time.time() - start, 1), "tokens": step * B * T, "loss": round(v, 4), "lr": round(lr, 4), "max_load": round(imbalance, 2)})
        if step % 500 == 0:
            curve[-1]["heldout_bpb"] = round(evaluate(16384, compute, float(lam))[0], 4)
        print(json.dumps(curve[-1]), flush=True)
        if not math.isfinite(v):
            raise SystemExit("diverged")
    if t > 0.55 and not saved:
        save("early.pt"); saved = 1
trained = time.time() - start
print(f"trained {trained:.1f} s, steps {step}, tokens {step * B * T}", flush=True)
save()
export(cfg, p, bias, args.nano)
final, rows = evaluate(10**9, torch.float32)
quick, quick_rows = evaluate(8192, torch.float32)
report = {"seconds": round(trained, 1), "steps": step, "tokens": step * B * T, "args": vars(args), "batch": B, "length": T, "stream_tokens": len(stream),
          "bpb": final, "packages": rows, "bpb_first_8192": quick_rows, "unquantised_bpb": evaluate(10**9, torch.float32, 0.0)[0],
          "bias_std": {l: float(b.std()) for l, b in bias.items()}, "curve": curve}
(out / "train.json").write_text(json.dumps(report, indent=1))
print(json.dumps({k: v for k, v in report.items() if k != "curve"}), flush=True)
