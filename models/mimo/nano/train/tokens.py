"""Tokenizer and token streams.

  tokens.py tokenizer CORPUS_DIR NANO_DIR   trains the byte-level BPE, writes tokenizer.json and tokenizer_config.json
  tokens.py encode    CORPUS_DIR NANO_DIR OUT_DIR
      writes train.bin (uint16 tokens: source files and chat examples, shuffled, each ended by <|endoftext|>),
      heldout.bin + heldout.json (tokens and UTF-8 bytes of each held-out package), prompts.json (chat prompts of held-out packages)
"""
import hashlib, json, random, re, sys
from pathlib import Path
from multiprocessing import Pool
import numpy as np
from tokenizers import Tokenizer, Regex, models, pre_tokenizers, decoders, normalizers, trainers, AddedToken

SIZE = 4096
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>",
           "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>",
           "<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>",
           "<|file_sep|>", "<tool_response>", "</tool_response>", "<think>", "</think>", "<|MASK|>"]
PLAIN_ADDED = {"<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>",
               "<|file_sep|>", "<tool_response>", "</tool_response>", "<think>", "</think>"}  # added, but not "special", as in Qwen
QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SYSTEM = "You are MiMo nano, a small assistant that writes TypeScript."


def rows(path):
    with open(path, encoding="utf-8") as f:
        for line in f:
            yield json.loads(line)


def train_tokenizer(corpus, nano):
    t = Tokenizer(models.BPE(byte_fallback=False))
    t.normalizer = normalizers.NFC()
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(QWEN2), "isolated"),
                                               pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    rng = random.Random(1)
    sample = (r["text"] for r in rows(corpus / "train.jsonl") if rng.random() < 0.35)
    t.train_from_iterator(sample, trainers.BpeTrainer(vocab_size=SIZE - len(SPECIAL), min_frequency=2, show_progress=False,
                                                      initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    t.add_tokens([AddedToken(s, normalized=False, special=s not in PLAIN_ADDED) for s in SPECIAL])
    assert t.get_vocab_size() == SIZE and t.token_to_id("<|MASK|>") == SIZE - 1
    t.save(str(nano / "tokenizer.json"))
    config = {
        "add_bos_token": False, "add_prefix_space": False,
        "added_tokens_decoder": {str(t.token_to_id(s)): {"content": s, "lstrip": False, "normalized": False, "rstrip": False,
                                                         "single_word": False, "special": s not in PLAIN_ADDED} for s in SPECIAL},
        "additional_special_tokens": [s for s in SPECIAL[1:] if s not in PLAIN_ADDED], "bos_token": None,
        "clean_up_tokenization_spaces": False, "eos_token": "<|im_end|>", "errors": "replace", "model_max_length": 4096,
        "pad_token": "<|endoftext|>", "split_special_tokens": False, "tokenizer_class": "Qwen2Tokenizer", "unk_token": None}
    (nano / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")


DOCUMENTED = re.compile(r"^/\*\*\n((?: \*[^\n]*\n)+?) \*/\n((?:export )?(?:default )?(?:async )?function\*? (\w+)[^\n]*\n(?:(?![}/])[^\n]*\n)*?\}\n)", re.M)


def pairs(text):
    """documented top-level functions -> (name, first sentence of the comment, code)"""
    for m in DOCUMENTED.finditer(text):
        lines = []
        for line in m[1].split("\n"):
            line = re.sub(r"^ \* ?", "", line).strip()
            if line.startswith("@") or (not line and lines):
                break
            if line:
                lines.append(line)
        doc = re.sub(r"\{@\w+ ([^}|]*)[^}]*\}", r"\1", " ".join(lines))
        doc = re.split(r"(?<=[.!?])\s", doc)[0].strip().rstrip(".")
        if 20 <= len(doc) <= 200 and doc.isascii() and 3 <= m[2].count("\n") <= 45:
            yield m[3], doc, re.sub(r"^export (default )?", "", m[2]).rstrip()


def request(name, doc, rng):
    doc = doc[0].lower() + doc[1:] if not doc[:2].isupper() else doc
    does = f"that {doc}" if doc.split()[0].endswith("s") else f"for this: {doc}"
    return rng.choice([f"Write a function {does}.", f"Write a function `{name}` {does}.", f"Write a TypeScript function {does}.",
                       f"Implement `{name}`: {doc}.", f"I need a function `{name}`. It should do this: {doc}."])


def chat(user, answer=None, system=SYSTEM):
    head = f"<|im_start|>system\n{system}<|im_end|><|im_start|>user\n{user}<|im_end|><|im_start|>assistant\n<think></think>"
    return head if answer is None else f"{head}{answer}<|im_end|>"


_tok = None


def _init(path):
    global _tok
    _tok = Tokenizer.from_file(path)


def _encode(text):
    """long files in pieces, cut between lines: the time a file takes grows faster than its length"""
    pieces = re.findall(r"(?s).{1,50000}(?:\n(?=\S)|\Z)|.+?(?:\n(?=\S)|\Z)", text)
    return np.array([i for e in _tok.encode_batch_fast(pieces, add_special_tokens=False) for i in e.ids], dtype=np.uint16)


def encode(corpus, nano, out):
    out.mkdir(parents=True, exist_ok=True)
    rng = random.Random(2)
    eot = SIZE - len(SPECIAL)
    docs, seen, chats = [], set(), 0
    for r in rows(corpus / "train.jsonl"):
        docs.append(r["text"])
        for name, doc, code in pairs(r["text"]):
            key = hashlib.sha1(re.sub(r"\s+", "", code).encode()).digest()
            if key in seen:
                continue
            seen.add(key)
            chats += 1
            system = SYSTEM if rng.random() < 0.9 else rng.choice(["You are a helpful assistant.", "Answer with code only.", "You write TypeScript."])
            docs += [chat(request(name, doc, rng), code, system) for _ in range(3)]
    rng.shuffle(docs)
    held = {}
    for r in rows(corpus / "heldout.jsonl"):
        held.setdefault(r["pkg"], []).append(r["text"])
    prompts = [(chat(request(n, d, rng)), c) for texts in held.values() for t in texts for n, d, c in pairs(t)]
    rng.shuffle(prompts)
    with Pool(None, _init, (str(nano / "tokenizer.json"),)) as pool:
        enc = pool.map(_encode, docs, chunksize=64)
        np.concatenate([np.append(e, np.uint16(eot)) for e in enc]).tofile(out / "train.bin")
        stream, meta = [], []
        for pkg, texts in sorted(held.items()):
            e = np.concatenate([np.append(e, np.uint16(eot)) for e in pool.map(_encode, texts)])
            meta.append({"name": pkg, "tokens": len(e), "bytes": sum(len(t.encode()) for t in texts)})
            stream.append(e)
        np.concatenate(stream).tofile(out / "heldout.bin")
    (out / "heldout.json").write_text(json.dumps(meta, indent=1))
    (out / "prompts.json").write_text(json.dumps(prompts[:64], indent=1))
    n = sum(map(len, enc)) + len(enc)
    print(f"documents {len(docs)} of them chat {chats}, tokens {n}, held-out {meta}, held-out prompts {len(prompts)}")


if __name__ == "__main__":
    verb, corpus, nano = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    train_tokenizer(corpus, nano) if verb == "tokenizer" else encode(corpus, nano, Path(sys.argv[4]))
