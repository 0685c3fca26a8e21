"""Prompts for the target to go on from.

  prompts.py CORPUS_DIR NANO_DIR OUT_DIR [count]
      writes OUT_DIR/prompts.npz   `tokens` (uint16, one prompt after the other) and `lengths`: prefixes of 16 to 112 tokens out of the training
                                   packages, five in six source text (from a file's first or from any line), one in six a chat prompt
             OUT_DIR/heldout.json  {"code": [{package, ids}], "chat": [...]}: the same kinds, out of the held-out packages

The corpus is that of the target (../fetch_corpus.mjs). No text is learned from: it only starts what the target then writes itself.
"""
import json, random, sys
from pathlib import Path
import numpy as np
from tokenizers import Tokenizer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tokens import chat, pairs, request, rows

HELD_CODE, HELD_CHAT = 128, 64


def code_prompts(texts, count, rng, encode, low, high):
    """from the first line of a file in a quarter of cases, else from any line; weighted by length, so by what the target has seen"""
    weights = np.cumsum([len(t) for t in texts])
    out = []
    while len(out) < count:
        picked = []
        for _ in range(1024):
            text = texts[int(np.searchsorted(weights, rng.random() * weights[-1], side="right"))]
            at = 0 if rng.random() < 0.25 else text.rfind("\n", 0, rng.randrange(len(text))) + 1
            picked.append(text[at : at + 1000])
        for ids in encode(picked):
            size = rng.randint(low, high)
            if len(ids) >= size:
                out.append(ids[:size])
    return out[:count]


def chat_prompts(texts, count, rng, encode):
    found = []
    for text in texts:
        found += [chat(request(name, doc, rng)) for name, doc, _ in pairs(text)]
        if len(found) >= 3 * count:
            break
    rng.shuffle(found)
    return [ids for ids in encode(found) if len(ids) <= 112][:count]


def main(corpus, nano, out, count=49152):
    out.mkdir(parents=True, exist_ok=True)
    tok = Tokenizer.from_file(str(nano / "tokenizer.json"))
    encode = lambda texts: [e.ids for e in tok.encode_batch_fast(texts, add_special_tokens=False)]
    rng = random.Random(11)
    texts = [r["text"] for r in rows(corpus / "train.jsonl")]
    rng.shuffle(texts)
    chats = chat_prompts(texts, count // 6, rng, encode)
    prompts = chats + code_prompts(texts, count - len(chats), rng, encode, 16, 112)
    rng.shuffle(prompts)
    np.savez_compressed(out / "prompts.npz", tokens=np.concatenate([np.array(p, np.uint16) for p in prompts]),
                        lengths=np.array([len(p) for p in prompts], np.uint16))
    packages = {}
    for r in rows(corpus / "heldout.jsonl"):
        packages.setdefault(r["pkg"], []).append(r["text"])
    held = {"code": [], "chat": []}
    for i, (name, own) in enumerate(sorted(packages.items())):
        share = lambda n: n * (i + 1) // len(packages) - n * i // len(packages)
        held["code"] += [{"package": name, "ids": p} for p in code_prompts(own, share(HELD_CODE), rng, encode, 48, 96)]
        held["chat"] += [{"package": name, "ids": p} for p in chat_prompts(own, HELD_CHAT, rng, encode)]
    rng.shuffle(held["chat"])
    held["chat"] = held["chat"][:HELD_CHAT]
    lines = [f' "{kind}": [\n' + ",\n".join("  " + json.dumps(p) for p in held[kind]) + "\n ]" for kind in held]
    (out / "heldout.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{len(prompts)} prompts, {len(chats)} of them chat, {sum(map(len, prompts))} tokens; "
          f"held out: {len(held['code'])} code, {len(held['chat'])} chat from {sorted({p['package'] for p in held['chat']})}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]), *map(int, sys.argv[4:5]))
