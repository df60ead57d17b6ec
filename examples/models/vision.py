"""Llama 4's vision tower in plain PyTorch at the size of the bundled model, its preprocessing and its tokens in a prompt.

Parameters carry the GGUF names that the file has them under, matrices [out, in]. A tile is side x side pixels of uint8; a patch's
vector runs over colour, then row, then column. Sequence: patches row by row, then the class row, which is dropped at the end.
Rotation: the first half of a head's pairs by the column, the second by the row, both counted from 1. LayerNorm with bias,
exact GELU, squares of 2 x 2 patches become one row, adapter (GELU behind both products), projector to the text model's width.
"""
from dataclasses import asdict, dataclass
import math

import torch
import torch.nn.functional as F

import model


@dataclass
class VisionConfig:
    tile: int = 112
    patch: int = 14
    width: int = 128
    heads: int = 4
    layers: int = 4
    hidden: int = 512      # of a layer's feed-forward block; transformers wants shuffle^2 * width here
    shuffle: int = 2
    adapter: int = 256
    out: int = 192         # the text model's width
    rope_base: float = 10000.0
    eps: float = 1e-5
    max_tiles: int = 16

    @property
    def side(self):
        return self.tile // self.patch

    @property
    def rows(self):  # that a tile becomes in the prompt
        return (self.side // self.shuffle) ** 2

    def dict(self):
        return asdict(self)


LAYER = (("attn_norm", "LN"), ("attn_q", "DD"), ("attn_k", "DD"), ("attn_v", "DD"), ("attn_output", "DD"), ("ffn_norm", "LN"), ("mlp.fc1", "FD"),
         ("mlp.fc2", "DF"))


def vision_shapes(c):
    """GGUF name -> shape, in file order."""
    d, f, a = c.width, c.hidden, c.adapter
    out = {"v.patch_embedding.weight": (d, 3 * c.patch ** 2), "v.class_embedding": (d,), "v.positional_embedding_vlm": (c.side ** 2 + 1, d)}

    def pair(name, shape):
        out[name + ".weight"], out[name + ".bias"] = shape, shape[:1]
    pair("v.layernorm_pre", (d,))
    for i in range(c.layers):
        for name, kind in LAYER:
            pair(f"v.blk.{i}.{name}", {"LN": (d,), "DD": (d, d), "FD": (f, d), "DF": (d, f)}[kind])
    pair("v.layernorm_post", (d,))
    out["v.vision_adapter.mlp.fc1.weight"] = (a, c.shuffle ** 2 * d)
    out["v.vision_adapter.mlp.fc2.weight"] = (a, a)
    out["mm.linear_1.weight"] = (c.out, a)
    return out


def vision_initial(c, seed):
    g = torch.Generator().manual_seed(seed)
    params = {}
    for name, shape in vision_shapes(c).items():
        if name.endswith(".bias"):
            t = torch.zeros(shape)
        elif "norm" in name:
            t = torch.ones(shape)
        elif "attn_output" in name or "fc2" in name and ".blk." in name:
            t = torch.zeros(shape)
        elif "embedding" in name and "patch" not in name:
            t = torch.randn(shape, generator=g) * 0.3
        else:
            t = torch.randn(shape, generator=g) / math.sqrt(shape[-1])
        params[name] = t
    return params


def turns(c):
    """cos and sin [patches + 1, head_dim / 2]; the class row, last, does not turn."""
    pairs = c.width // c.heads // 2
    inv = 1.0 / (c.rope_base ** (torch.arange(0, pairs, 2, dtype=torch.float32) / pairs))
    p = torch.arange(c.side ** 2)
    at = lambda n: (n + 1).float()[:, None] * inv[None]
    angle = torch.cat((torch.cat((at(p % c.side), at(p // c.side)), 1), torch.zeros(1, pairs)))
    return angle.cos(), angle.sin()


def pixel_values(tiles):
    """uint8 -> what the tower computes with: in bfloat16 at each step, as transformers does."""
    third = torch.tensor(1 / 255, dtype=torch.float32)
    table = (torch.arange(256).float() * third).bfloat16()
    table = ((table - 0.5) / 0.5).float()
    return table[tiles.long()]


class Tower:
    """features(tiles u8 [N, 3, side, side]) -> [N, rows, out] float32. Products in model.PRODUCT, the rest in float32; with
    `exact`, everything in float32."""

    def __init__(self, config, params, exact=False):
        self.c, self.P, self.exact = config, params, exact
        self.cos, self.sin = (x[None, :, None] for x in turns(config))

    def product(self, x, name, bias=False):
        kind = torch.float32 if self.exact else model.PRODUCT
        y = F.linear(x.to(kind), self.P[name + ".weight"].to(kind))
        return y.float() + self.P[name + ".bias"] if bias else y.float()

    def norm(self, x, name):
        return F.layer_norm(x, x.shape[-1:], self.P[name + ".weight"], self.P[name + ".bias"], self.c.eps)

    def rotate(self, x):
        a, b = x[..., 0::2], x[..., 1::2]
        return torch.stack((a * self.cos - b * self.sin, a * self.sin + b * self.cos), -1).flatten(-2)

    def attention(self, x, b):
        c, kind = self.c, torch.float32 if self.exact else model.PRODUCT
        n, t, d = x.shape
        q, k, v = (self.product(x, b + f"attn_{s}", True).view(n, t, c.heads, -1) for s in "qkv")
        q, k, v = (y.to(kind).transpose(1, 2) for y in (self.rotate(q), self.rotate(k), v))
        p = torch.softmax(torch.matmul(q, k.transpose(2, 3)).float() * (d // c.heads) ** -0.5, -1).to(kind)
        return self.product(torch.matmul(p, v).transpose(1, 2).reshape(n, t, d), b + "attn_output", True)

    def features(self, tiles):
        c, P = self.c, self.P
        n, s, f = len(tiles), c.side, c.shuffle
        x = pixel_values(tiles).view(n, 3, s, c.patch, s, c.patch).permute(0, 2, 4, 1, 3, 5).reshape(n, s * s, -1)
        x = torch.cat((self.product(x, "v.patch_embedding"), P["v.class_embedding"].expand(n, 1, -1)), 1)
        x = self.norm(x + P["v.positional_embedding_vlm"], "v.layernorm_pre")
        for i in range(c.layers):
            b = f"v.blk.{i}."
            x = x + self.attention(self.norm(x, b + "attn_norm"), b)
            h = F.gelu(self.product(self.norm(x, b + "ffn_norm"), b + "mlp.fc1", True))
            x = x + self.product(h, b + "mlp.fc2", True)
        x = self.norm(x, "v.layernorm_post")[:, :-1]
        x = x.view(n, s // f, f, s // f, f, c.width).permute(0, 1, 3, 2, 4, 5).reshape(n, c.rows, -1)
        x = F.gelu(self.product(x, "v.vision_adapter.mlp.fc1"))
        return self.product(F.gelu(self.product(x, "v.vision_adapter.mlp.fc2")), "mm.linear_1")


# ---------------------------------------------------------------- from a picture to tiles

def fit(width, height, c):
    """(grid rows, grid columns, drawn width, drawn height): the smallest grid that keeps all pixels, else the largest scale."""
    import numpy as np
    s = c.tile
    grids = [(h, w) for h in range(1, c.max_tiles + 1) for w in range(1, c.max_tiles + 1) if h * w <= c.max_tiles]
    scale = {g: min(np.float32(s * g[1]) / np.float32(width), np.float32(s * g[0]) / np.float32(height)) for g in grids}
    enough = [x for x in scale.values() if x >= 1]
    best = min(enough) if enough else max(scale.values())
    rows, columns = min((g for g in grids if scale[g] == best), key=lambda g: g[0] * g[1])
    th, tw = min(max(height, s), s * rows), min(max(width, s), s * columns)
    sw, sh = tw / width, th / height
    if sw < sh:
        return rows, columns, tw, max(1, min(math.floor(height * sw), th))
    return rows, columns, max(1, min(math.floor(width * sh), tw)), th


def resize(pixels, width, height):
    """Antialiased bilinear on uint8 [3, H, W]: the same integers as in transformers' processor."""
    if pixels.shape[1:] == (height, width):
        return pixels
    return F.interpolate(pixels[None], (height, width), mode="bilinear", antialias=True)[0]


def tiles_of(pixels, c):
    """pixels: u8 [H, W, 3] -> (tiles u8 [T, 3, side, side], grid rows, grid columns, drawn width, drawn height)"""
    x, s = torch.from_numpy(pixels).permute(2, 0, 1).contiguous(), c.tile
    if x.shape[1:] == (s, s):
        return x[None], 1, 1, s, s
    rows, columns, w, h = fit(x.shape[2], x.shape[1], c)
    canvas = torch.zeros(3, rows * s, columns * s, dtype=torch.uint8)
    canvas[:, :h, :w] = resize(x, w, h)
    tiles = canvas.view(3, rows, s, columns, s).permute(1, 3, 0, 2, 4).reshape(-1, 3, s, s)
    if rows * columns > 1:
        tiles = torch.cat((tiles, resize(x, s, s)[None]))
    return tiles, rows, columns, w, h


def image_ids(tok, c, rows=1, columns=1):
    """The tokens of a picture; the i-th <|patch|> receives row i of the tiles' features."""
    sp = tok.special
    patches = [sp["<|patch|>"]] * c.rows
    out = [sp["<|image_start|>"]]
    if rows * columns > 1:
        for _ in range(rows):
            for x in range(columns):
                out += patches + ([sp["<|tile_x_separator|>"]] if x + 1 < columns else [])
            out.append(sp["<|tile_y_separator|>"])
    return out + [sp["<|image|>"]] + patches + [sp["<|image_end|>"]]


# ---------------------------------------------------------------- the same weights in transformers

def transformers_tower(c, P):
    """(Llama4VisionModel, projector weight): float32, eager."""
    from transformers import Llama4VisionConfig, Llama4VisionModel
    config = Llama4VisionConfig(
        hidden_size=c.width, intermediate_size=c.hidden, num_hidden_layers=c.layers, num_attention_heads=c.heads, image_size=c.tile, patch_size=c.patch,
        num_channels=3, pixel_shuffle_ratio=1 / c.shuffle, projector_input_dim=c.adapter, projector_output_dim=c.adapter, vision_output_dim=c.adapter,
        norm_eps=c.eps, rope_parameters={"rope_type": "default", "rope_theta": c.rope_base}, hidden_act="gelu",
        vision_feature_select_strategy="default")
    m = Llama4VisionModel._from_config(config, attn_implementation="eager", dtype=torch.float32).eval()
    theirs = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "attn_output": "self_attn.o_proj", "mlp.fc1": "mlp.fc1",
              "mlp.fc2": "mlp.fc2"} | {f"attn_{s}": f"self_attn.{s}_proj" for s in "qkv"}
    sd = {}
    for name, t in P.items():
        if name == "mm.linear_1.weight" or not name.startswith("v."):
            continue
        name = name[2:]
        if name.startswith("blk."):
            _, i, rest = name.split(".", 2)
            stem, kind = rest.rsplit(".", 1)
            name = f"model.layers.{i}.{theirs[stem]}.{kind}"
        else:
            name = "patch_embedding.linear.weight" if name == "patch_embedding.weight" else name
        sd[name] = t
    m.load_state_dict(sd)
    return m, P["mm.linear_1.weight"]


def check_transformers(c, P, tiles):
    """Largest difference of the features from transformers', in parts of their rms."""
    m, projector = transformers_tower(c, P)
    with torch.no_grad():
        ours = Tower(c, P, exact=True).features(tiles)
        theirs = F.linear(m(pixel_values(tiles)).last_hidden_state, projector).view(ours.shape)
    return float((ours - theirs).abs().max() / theirs.pow(2).mean().sqrt())
