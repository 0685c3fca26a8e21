"""The scale rules, shared by trainer and exporter: what is trained is bit for bit what is exported.

MXFP4 (experts): blocks of 32 along k, E2M1 values, E8M0 scale. Scale rule "even": amax is rounded to one mantissa bit, then
    scale = 2^(floor(log2 amax) - 2); values beyond 6 saturate; values round to nearest, ties to even.
FP8 (fused qkv, dense MLP): blocks of 128 x 128, E4M3, scale = amax / 448 in float32 (1 for an all-zero block).
    Rows are blocked per group: a group of 176 qkv rows has two row blocks, 128 and 48 rows.
"""
import torch

E2M1 = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)


def mxfp4_split(w):
    """w [..., k] float32 -> magnitudes on the E2M1 grid with sign [..., k/32, 32], exponents [..., k/32, 1]"""
    b = w.float().unflatten(-1, (-1, 32))
    mant, exp = torch.frexp(b.abs().amax(-1, keepdim=True))  # amax = mant * 2^exp, mant in [0.5, 1)
    e = (exp - 3 + (mant >= 0.875)).clamp(-127, 127).float()
    a = (b.abs() * torch.exp2(-e)).clamp(max=6.0)
    step = torch.where(a < 2, 0.5, torch.where(a < 4, 1.0, 2.0))
    return torch.copysign((a / step).round() * step, b), e


def mxfp4_fake(w):
    q, e = mxfp4_split(w)
    return (q * torch.exp2(e)).flatten(-2)


def mxfp4_pack(w):
    """-> U8 [..., k/2] (low nibble = even k), U8 e8m0 [..., k/32]"""
    q, e = mxfp4_split(w)
    code = torch.searchsorted(torch.tensor(E2M1, device=w.device), q.abs().contiguous()) + 8 * torch.signbit(q)
    code = code.flatten(-2).to(torch.uint8)
    return code[..., 0::2] | (code[..., 1::2] << 4), (e.squeeze(-1) + 127).to(torch.uint8)


def _blocks(w, groups):
    rows, k = w.shape[0] // groups, w.shape[1]
    pad = -rows % 128
    b = torch.nn.functional.pad(w.float().view(groups, rows, k), (0, 0, 0, pad))
    return b.view(groups, (rows + pad) // 128, 128, k // 128, 128), rows


def _unblock(b, rows):
    g, nr, _, nk, _ = b.shape
    return b.reshape(g, nr * 128, nk * 128)[:, :rows].reshape(g * rows, nk * 128)


def fp8_quantise(w, groups=1):
    """w [groups*rows, k] -> E4M3 [groups*rows, k], scale_inv F32 [groups*ceil(rows/128), k/128]"""
    b, rows = _blocks(w, groups)
    amax = b.abs().amax((2, 4), keepdim=True)
    scale = torch.where(amax > 0, amax / 448.0, torch.ones_like(amax))
    q = (b / scale).clamp(-448, 448).to(torch.float8_e4m3fn)
    return _unblock(q, rows), scale.reshape(-1, w.shape[1] // 128)


def fp8_fake(w, groups=1):
    b, rows = _blocks(w, groups)
    amax = b.abs().amax((2, 4), keepdim=True)
    scale = torch.where(amax > 0, amax / 448.0, torch.ones_like(amax))
    q = (b / scale).clamp(-448, 448).to(torch.float8_e4m3fn).float()
    return _unblock(q * scale, rows)
