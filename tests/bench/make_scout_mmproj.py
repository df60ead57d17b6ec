#!/usr/bin/env python3
"""Writes the vision tower of Scout and Maverick (34 layers, 1408 wide) with random weights as a projector file, for benchmarks.

    pip install gguf numpy
    tests/bench/make_scout_mmproj.py mmproj.gguf [--type BF16] [--out 5120] [--layers 34] [--seed 1]

--type is BF16, F16, F32 or Q8_0; the file has 1.7 GB for the first two. --out is the width of the text model beside which it is used.
Matrices have deviation 1/sqrt(inputs), so that activations stay finite. llama.cpp reads the file as well as libscout does.
"""
import argparse

import gguf
import numpy as np
from gguf import GGMLQuantizationType as T
from gguf import quants

WIDTH, HIDDEN, HEADS, TILE, PATCH, ADAPTER = 1408, 5632, 16, 336, 14, 4096


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("file")
    options.add_argument("--type", default="BF16", choices=["BF16", "F16", "F32", "Q8_0"])
    options.add_argument("--out", type=int, default=5120)
    options.add_argument("--layers", type=int, default=34)
    options.add_argument("--seed", type=int, default=1)
    options = options.parse_args()
    rng = np.random.default_rng(options.seed)
    pool = rng.standard_normal(1 << 24, dtype=np.float32)

    w = gguf.GGUFWriter(options.file, "clip", use_temp_file=True)
    w.add_type("mmproj")
    w.add_name("random tower of the shape of Llama 4's")
    w.add_file_type({"F32": 0, "F16": 1, "BF16": 32, "Q8_0": 7}[options.type])
    w.add_bool("clip.has_vision_encoder", True)
    w.add_string("clip.projector_type", "llama4")
    for key, value in {"image_size": TILE, "patch_size": PATCH, "embedding_length": WIDTH, "feed_forward_length": HIDDEN,
                       "block_count": options.layers, "attention.head_count": HEADS, "projection_dim": options.out,
                       "projector.scale_factor": 2}.items():
        w.add_uint32(f"clip.vision.{key}", value)
    w.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    w.add_array("clip.vision.image_mean", [0.5, 0.5, 0.5])
    w.add_array("clip.vision.image_std", [0.5, 0.5, 0.5])
    w.add_bool("clip.use_gelu", True)

    def matrix(name, rows, cols, kind=None):
        kind = T[kind or options.type]
        start = int(rng.integers(pool.size))
        x = np.resize(np.roll(pool, -start), (rows, cols)) * np.float32(cols ** -0.5)
        w.add_tensor(name, x if kind == T.F32 else quants.quantize(x, kind), raw_dtype=kind)

    def vector(name, count, base=0.0):
        w.add_tensor(name, np.float32(base) + np.float32(0.02) * rng.standard_normal(count, dtype=np.float32))

    def both(name, rows, cols):
        matrix(name + ".weight", rows, cols)
        vector(name + ".bias", rows)

    def norm(name):
        vector(name + ".weight", WIDTH, 1.0)
        vector(name + ".bias", WIDTH)

    matrix("v.patch_embd.weight", WIDTH, 3 * PATCH * PATCH, "F32")
    vector("v.class_embd", WIDTH)
    matrix("v.position_embd.weight", (TILE // PATCH) ** 2 + 1, WIDTH, "F32")
    norm("v.pre_ln")
    norm("v.post_ln")
    for i in range(options.layers):
        b = f"v.blk.{i}."
        norm(b + "ln1")
        norm(b + "ln2")
        for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
            both(b + name, WIDTH, WIDTH)
        both(b + "ffn_up", HIDDEN, WIDTH)
        both(b + "ffn_down", WIDTH, HIDDEN)
    matrix("mm.model.mlp.1.weight", ADAPTER, 4 * WIDTH)
    matrix("mm.model.mlp.2.weight", ADAPTER, ADAPTER)
    matrix("mm.model.fc.weight", options.out, ADAPTER)
    w.write_header_to_file(), w.write_kv_data_to_file(), w.write_tensors_to_file(), w.close()


if __name__ == "__main__":
    main()
