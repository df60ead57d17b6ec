"""The Llama 4 text decoder in plain PyTorch, at the size of the bundled model.

Two forward passes share one set of float32 parameters, which carry their GGUF names and shapes ([out, in] per matrix,
[experts, out, in] per stack):

* `Trainer.loss` - fast on a CPU: products in bfloat16 where the processor multiplies those faster (choose_product_type), else in
  float32; residual, norms, router and softmax statistics always in float32;
  tokens sorted by expert so that each expert is one product; chunk-local attention as a batch of chunks, global
  attention in blocks of 128 queries; the head only where there is a loss.
* `Decoder` - float32 throughout, with a key/value cache: evaluation and expectations. It follows the equations.

Layers 3, 7, ... see the whole past without rotation and with the temperature scale; all others see their own chunk, with
interleaved-pair rotation and a weightless per-head RMS norm on queries and keys after it.
"""
from dataclasses import dataclass, asdict
import math
import time

import torch
import torch.nn.functional as F


@dataclass
class Config:
    hidden: int = 192
    layers: int = 8
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 64
    experts: int = 8
    expert_ff: int = 96
    vocab: int = 3072
    chunk: int = 128
    global_every: int = 4
    rope_base: float = 10000.0
    eps: float = 1e-5
    floor_scale: float = 128.0
    attn_scale: float = 0.1
    context: int = 8192

    def is_global(self, layer):
        return (layer + 1) % self.global_every == 0

    def dict(self):
        return asdict(self)


def shapes(c):
    """GGUF name -> shape, in file order."""
    out = {"token_embd.weight": (c.vocab, c.hidden), "output_norm.weight": (c.hidden,), "output.weight": (c.vocab, c.hidden)}
    q, kv, f = c.heads * c.head_dim, c.kv_heads * c.head_dim, c.expert_ff
    for i in range(c.layers):
        b = f"blk.{i}."
        out[b + "attn_norm.weight"] = (c.hidden,)
        out[b + "attn_q.weight"] = (q, c.hidden)
        out[b + "attn_k.weight"] = (kv, c.hidden)
        out[b + "attn_v.weight"] = (kv, c.hidden)
        out[b + "attn_output.weight"] = (c.hidden, q)
        out[b + "ffn_norm.weight"] = (c.hidden,)
        out[b + "ffn_gate_inp.weight"] = (c.experts, c.hidden)
        for kind, shape in (("gate", (f, c.hidden)), ("up", (f, c.hidden)), ("down", (c.hidden, f))):
            out[b + f"ffn_{kind}_exps.weight"] = (c.experts,) + shape
            out[b + f"ffn_{kind}_shexp.weight"] = shape
    return out


def initial(c, seed):
    g = torch.Generator().manual_seed(seed)
    params = {}
    for name, shape in shapes(c).items():
        if "norm" in name:
            t = torch.ones(shape)
        elif "attn_output" in name or "down" in name or name == "output.weight":
            t = torch.zeros(shape)
        elif name == "token_embd.weight":
            t = torch.randn(shape, generator=g) * 0.3
        else:
            t = torch.randn(shape, generator=g) * (0.6 / math.sqrt(shape[-1]))
        params[name] = t
    return params


def rope_tables(c, length, start=0):
    inv = 1.0 / (c.rope_base ** (torch.arange(0, c.head_dim, 2, dtype=torch.float32) / c.head_dim))
    angle = torch.arange(start, start + length, dtype=torch.float32)[:, None] * inv[None]
    return angle.cos(), angle.sin()  # [length, head_dim / 2]


def temperature(c, length, start=0):
    p = torch.arange(start, start + length, dtype=torch.float32)
    return 1.0 + c.attn_scale * torch.log1p(torch.floor((p + 1.0) / c.floor_scale))


# ---------------------------------------------------------------- training pass

PRODUCT = torch.float32  # type of the operands of matrix products


def choose_product_type():
    """The faster of bfloat16 and float32 here: some processors have a bfloat16 dot that is slower than their float32 one."""
    global PRODUCT
    best = math.inf
    for dtype in (torch.float32, torch.bfloat16):
        x, w = torch.randn(8192, 192).to(dtype), torch.randn(512, 192).to(dtype)
        for timed in range(6):  # the first ones warm up
            if timed == 2:
                start = time.process_time()  # other programs do not count
            F.linear(x, w)
        if time.process_time() - start < best:
            best, PRODUCT = time.process_time() - start, dtype
    return PRODUCT


def _norm(x, w, eps: float):
    return (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * w).to(PRODUCT)


def _rotate(x, cos, sin, eps: float):
    # [..., head_dim], with cos and sin broadcast over heads: rotate pairs, then RMS over the head
    y = x.float().unflatten(-1, (-1, 2))
    a, b = y[..., 0], y[..., 1]
    z = torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2)
    return (z * torch.rsqrt(z.pow(2).mean(-1, keepdim=True) + eps)).to(PRODUCT)


def _swiglu(gu):
    g, u = gu.float().chunk(2, -1)
    return (F.silu(g) * u).to(PRODUCT)


def _softmax(s, mask, scale: float):
    return torch.softmax(s.float() * scale + mask, -1).to(PRODUCT)


class _CrossEntropy(torch.autograd.Function):
    """Per-row negative log-likelihood; the built-in log-softmax was a fifth of the whole step on one core."""

    @staticmethod
    def forward(ctx, logits, target):  # [N, V], [N]
        z = logits.float()
        z = z - z.amax(-1, keepdim=True)
        picked = z.gather(-1, target[:, None])[:, 0]
        total = z.exp_().sum(-1)
        ctx.save_for_backward(z.to(PRODUCT), total, target)
        return total.log() - picked

    @staticmethod
    def backward(ctx, grad):
        e, total, target = ctx.saved_tensors
        out = e * (grad / total)[:, None].to(PRODUCT)
        out[torch.arange(len(target)), target] -= grad.to(PRODUCT)
        return out, None


class _Permute(torch.autograd.Function):
    """x[order] with its inverse known, so that the gradient is a gather as well."""

    @staticmethod
    def forward(ctx, x, order, inverse):
        ctx.save_for_backward(order, inverse)
        return x.index_select(0, order)

    @staticmethod
    def backward(ctx, grad):
        return grad.index_select(0, ctx.saved_tensors[1]), None, None


class Trainer:
    def __init__(self, config, params, compiled=True):
        self.c, self.params = config, params
        wrap = (lambda f: torch.compile(f, dynamic=True)) if compiled else (lambda f: f)
        self.norm, self.rotate, self.swiglu, self.softmax = map(wrap, (_norm, _rotate, _swiglu, _softmax))

    def _grouped(self, x, kv):
        # [N, L, heads, d] -> [N, kv, group * L, d]: the query heads of one key head become rows of one product
        n, l, h, d = x.shape
        return x.view(n, l, kv, h // kv, d).permute(0, 2, 3, 1, 4).reshape(n, kv, (h // kv) * l, d)

    def _ungrouped(self, y, l):
        n, kv, gl, d = y.shape
        return y.view(n, kv, gl // l, l, d).permute(0, 3, 1, 2, 4).reshape(n, l, kv * (gl // l) * d)

    def attention(self, i, q, k, v, b, t, chunk):
        c = self.c
        scale, group = c.head_dim ** -0.5, c.heads // c.kv_heads
        if not c.is_global(i):
            cos, sin = self.rope
            q, k = self.rotate(q, cos, sin, c.eps), self.rotate(k, cos, sin, c.eps)
            n = b * t // chunk
            q = self._grouped(q.view(n, chunk, c.heads, c.head_dim), c.kv_heads)
            k = k.view(n, chunk, c.kv_heads, c.head_dim).permute(0, 2, 3, 1)
            v = v.reshape(n, chunk, c.kv_heads, c.head_dim).transpose(1, 2)
            p = self.softmax(torch.matmul(q, k), self.local_mask, scale)
            return self._ungrouped(torch.matmul(p, v), chunk).reshape(b * t, -1)
        q = (q.float() * self.temp).to(PRODUCT)
        k, v = k.permute(0, 2, 3, 1).contiguous(), v.transpose(1, 2).contiguous()
        out = []
        for s in range(0, t, 128):
            e = s + 128
            p = self.softmax(torch.matmul(self._grouped(q[:, s:e], c.kv_heads), k[..., :e]), self.global_masks[s // 128], scale)
            out.append(self._ungrouped(torch.matmul(p, v[:, :, :e]), 128))
        return torch.cat(out, 1).reshape(b * t, -1)

    def ffn(self, i, x32, x):
        P, c = self.params, self.c
        p = f"blk.{i}.ffn_"
        w = lambda *names: torch.cat([P[p + n + ".weight"] for n in names], -2).to(PRODUCT)
        r = F.linear(x32, P[p + "gate_inp.weight"])
        best, idx = r.max(-1)
        order = idx.argsort(stable=True)
        counts = torch.bincount(idx, minlength=c.experts)
        inverse = torch.empty_like(order)
        inverse[order] = torch.arange(order.numel())
        xs = _Permute.apply((x32 * torch.sigmoid(best)[:, None]).to(PRODUCT), order, inverse)
        gu, down = w("gate_exps", "up_exps"), w("down_exps")
        parts = [F.linear(self.swiglu(F.linear(xe, gu[e])), down[e]) for e, xe in enumerate(xs.split(counts.tolist()))]
        routed = _Permute.apply(torch.cat(parts), inverse, order)
        shared = F.linear(self.swiglu(F.linear(x, w("gate_shexp", "up_shexp"))), w("down_shexp"))
        probs = torch.softmax(r, -1)
        share = counts.float() / idx.numel()
        self.aux = self.aux + 0.01 * c.experts * (probs.mean(0) * share).sum() + 1e-4 * torch.logsumexp(r, -1).pow(2).mean()
        self.shares.append(share)
        return routed.float() + shared.float()

    def hidden_states(self, ids, chunk, pictures=None):
        P, c = self.params, self.c
        b, t = ids.shape
        cos, sin = rope_tables(c, t)
        self.rope = cos[None, :, None], sin[None, :, None]
        self.temp = temperature(c, t)[None, :, None, None]
        group = c.heads // c.kv_heads
        tri = lambda n: torch.full((n, n), -1e9).triu(1)
        self.local_mask = tri(chunk).repeat(group, 1)
        last = tri(128).repeat(group, 1)
        self.global_masks = [F.pad(last, (s, 0)) for s in range(0, t, 128)]
        self.aux, self.shares = 0.0, []
        h = F.embedding(ids, P["token_embd.weight"]).view(b * t, c.hidden)
        if pictures is not None:  # (where in the flattened batch, [N, hidden]): rows that a vision tower made
            h = h.index_copy(0, *pictures)
        for i in range(c.layers):
            p = f"blk.{i}."
            x = self.norm(h, P[p + "attn_norm.weight"], c.eps)
            qkv = F.linear(x, torch.cat([P[p + f"attn_{n}.weight"] for n in "qkv"]).to(PRODUCT)).view(b, t, -1, c.head_dim)
            q, k, v = qkv.split((c.heads, c.kv_heads, c.kv_heads), 2)
            a = self.attention(i, q, k, v, b, t, chunk)
            h = h + F.linear(a, P[p + "attn_output.weight"].to(PRODUCT)).float()
            x = self.norm(h, P[p + "ffn_norm.weight"], c.eps)
            h = h + self.ffn(i, x.float(), x)
        return h

    def logits(self, ids, where, chunk, pictures=None):
        """Only at the places `where` of the flattened batch."""
        h = self.hidden_states(ids, chunk, pictures)
        x = self.norm(h.index_select(0, where), self.params["output_norm.weight"], self.c.eps)
        return F.linear(x, self.params["output.weight"].to(PRODUCT))

    def loss(self, ids, targets, weights, chunk, pictures=None):
        """ids, targets [B, T]; weights [B, T] f32, 0 where nothing is learned. Returns (loss to minimise, mean nll)."""
        where = weights.flatten().nonzero()[:, 0]
        logits = self.logits(ids, where, chunk, pictures)
        nll = _CrossEntropy.apply(logits, targets.flatten()[where])
        w = weights.flatten()[where]
        loss = (nll * w).sum() / w.sum()
        return loss + self.aux, loss.detach()


# ---------------------------------------------------------------- float32 decoder

class Decoder:
    """One sequence, float32, with a cache. feed(ids) returns logits [len(ids), vocab], or [1, vocab] with last_only."""

    def __init__(self, config, params):
        self.c = config
        self.P = {k: v.detach().float() for k, v in params.items()}
        self.reset()

    def reset(self):
        self.pos = 0
        self.k = [None] * self.c.layers
        self.v = [None] * self.c.layers

    def norm(self, x, name):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.c.eps) * self.P[name]

    def _attend(self, i, x):
        c, P, p = self.c, self.P, f"blk.{i}."
        t = x.shape[0]
        q = F.linear(x, P[p + "attn_q.weight"]).view(t, c.heads, c.head_dim)
        k = F.linear(x, P[p + "attn_k.weight"]).view(t, c.kv_heads, c.head_dim)
        v = F.linear(x, P[p + "attn_v.weight"]).view(t, c.kv_heads, c.head_dim)
        if not c.is_global(i):
            cos, sin = (z[:, None] for z in rope_tables(c, t, self.pos))
            def turn(y):
                a, b = y[..., 0::2], y[..., 1::2]
                z = torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2)
                return z * torch.rsqrt(z.pow(2).mean(-1, keepdim=True) + c.eps)
            q, k = turn(q), turn(k)
        else:
            q = q * temperature(c, t, self.pos)[:, None, None]
        if self.k[i] is not None:
            k, v = torch.cat((self.k[i], k)), torch.cat((self.v[i], v))
        if not c.is_global(i):  # keys before the last token's chunk are never needed by later tokens
            end = self.pos + t
            keep = end - (end - 1) // c.chunk * c.chunk
            self.k[i], self.v[i] = k[-keep:], v[-keep:]
        else:
            self.k[i], self.v[i] = k, v
        first = self.pos + t - k.shape[0]
        if t == 1:
            mask = None  # the cache holds just the visible keys, except when this token opens a new chunk
            if not c.is_global(i):
                k, v = self.k[i], self.v[i]
        else:
            qi, ki = torch.arange(self.pos, self.pos + t)[:, None], torch.arange(first, first + k.shape[0])[None]
            seen = ki <= qi
            if not c.is_global(i):
                seen &= ki // c.chunk == qi // c.chunk
            mask = torch.zeros(seen.shape).masked_fill(~seen, float("-inf"))
        group = c.heads // c.kv_heads
        k, v = k.repeat_interleave(group, 1).transpose(0, 1), v.repeat_interleave(group, 1).transpose(0, 1)
        s = torch.matmul(q.transpose(0, 1), k.transpose(1, 2)) * c.head_dim ** -0.5
        s = torch.softmax(s if mask is None else s + mask, -1)
        return F.linear(torch.matmul(s, v).transpose(0, 1).reshape(t, -1), P[p + "attn_output.weight"])

    def _ffn(self, i, x):
        P, p = self.P, f"blk.{i}.ffn_"
        mlp = lambda x, g, u, d: F.linear(F.silu(F.linear(x, g)) * F.linear(x, u), d)
        y = mlp(x, *(P[p + n + "_shexp.weight"] for n in ("gate", "up", "down")))
        best, idx = F.linear(x, P[p + "gate_inp.weight"]).max(-1)
        xs = x * torch.sigmoid(best)[:, None]
        for e in idx.unique().tolist():
            rows = idx == e
            y[rows] += mlp(xs[rows], *(P[p + n + "_exps.weight"][e] for n in ("gate", "up", "down")))
        return y

    @torch.no_grad()
    def feed(self, ids, last_only=False, pictures=None):
        c = self.c
        h = self.P["token_embd.weight"][torch.tensor(ids)]
        if pictures is not None:  # (indices into ids, [N, hidden]): rows that a vision tower made
            h = h.index_copy(0, *pictures)
        for i in range(c.layers):
            h = h + self._attend(i, self.norm(h, f"blk.{i}.attn_norm.weight"))
            h = h + self._ffn(i, self.norm(h, f"blk.{i}.ffn_norm.weight"))
        self.pos += len(ids)
        return F.linear(self.norm(h[-1:] if last_only else h, "output_norm.weight"), self.P["output.weight"])
