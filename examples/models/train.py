#!/usr/bin/env python3
"""Trains scout-tiny on text made by data.py, exports it as GGUF, evaluates the exported weights and writes README figures.

    python train.py --minutes 60            train, export, evaluate (figures go into README.md)
    python train.py --resume --minutes 16   train on from the newest checkpoint, export, evaluate
    python train.py --export-only           export and evaluate the newest checkpoint
    python train.py --expectations          recompute expectations.json from the bundled scout-tiny.gguf

The work directory (--work, default ./work, never committed) holds checkpoints and the log. The schedule is bounded by
the clock, so two runs see a different number of steps; data and initial weights depend on --seed alone.
"""
import os

# One arena that is never given back: otherwise every step pays for fresh pages. Must be set before the process starts.
ARENA = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "17179869184", "MALLOC_TOP_PAD_": "268435456"}

import argparse
import json
import math
import random
import sys
import time


def muon_direction(g, steps=5):
    """Newton-Schulz orthogonalisation (quintic, in the products' type) of a batch [N, rows, cols] with rows <= cols."""
    import torch
    import model
    x = g.to(model.PRODUCT)
    x = x / (x.float().norm(dim=(1, 2), keepdim=True) + 1e-7).to(model.PRODUCT)
    for _ in range(steps):
        a = torch.bmm(x, x.transpose(1, 2))
        b = torch.baddbmm(a, a, a, beta=-4.7750, alpha=2.0315)
        x = torch.baddbmm(x, b, x, beta=3.4445)
    return x


class Muon:
    def __init__(self, params, momentum=0.95):
        import torch
        self.momentum = momentum
        self.groups = {}  # (small side, large side) -> [(parameter, view as matrices, transposed)]
        for p in params:
            rows, cols = p.shape[-2:]
            self.groups.setdefault((min(rows, cols), max(rows, cols)), []).append((p, rows > cols))
        self.state = {id(p): torch.zeros_like(p) for p in params}

    def step(self, lr):
        import torch
        for group in self.groups.values():
            batch, sizes = [], []
            for p, tall in group:
                buf = self.state[id(p)]
                buf.lerp_(p.grad, 1 - self.momentum)
                g = p.grad.lerp(buf, self.momentum).reshape(-1, *p.shape[-2:])
                batch.append(g.transpose(1, 2) if tall else g)
                sizes.append(batch[-1].shape[0])
            for (p, tall), u in zip(group, muon_direction(torch.cat(batch)).split(sizes)):
                u = (u.transpose(1, 2) if tall else u).reshape(p.shape).float()
                scale = max(1.0, p.shape[-2] / p.shape[-1]) ** 0.5
                p.data.mul_(1 - 0.02 * lr).add_(u, alpha=-lr * scale)


def schedule(progress, step):
    """Learning-rate factor: 60 steps of warm-up, constant to 45 % of the time, then a cosine to 2 %."""
    warm = min(1.0, (step + 1) / 60)
    if progress < 0.45:
        return warm
    x = min(1.0, (progress - 0.45) / 0.55)
    return warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * x)))


def resumed_schedule(progress, step):
    """The same for a resumed run: a warm-up to 0.35, then a cosine to 2 %."""
    return min(1.0, (step + 1) / 60) * (0.02 + 0.33 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


def resumed_curriculum(progress, rng):
    return rng.choice((256, 512, 768, 768, 1024)), 128, 0.6


def curriculum(progress, rng):
    """(row length, chunk, share of the full mixture; the rest is dense recall): short rows of recall first, then everything."""
    if progress < 0.15:
        return 256, 64, 0.25 + 0.35 * progress / 0.15
    if progress < 0.40:
        return rng.choice((256, 384, 384, 512)), 128, 0.6 + 0.1 * (progress - 0.15) / 0.25
    if progress < 0.75:
        return rng.choice((256, 512, 640, 768)), 128, 0.7
    return rng.choice((256, 512, 768, 768, 1024)), 128, 0.75


class Team:
    """Two or more processes that compute gradients of their own rows on the same parameters, which lie in shared memory.

    Rank 0 leads. One step: every rank writes the gradients of its rows to shared memory, then every rank updates its share of the
    matrices. One thread each: the products are so small that threads inside them would mostly wait for each other."""

    def __init__(self, size, params):
        import multiprocessing
        import torch
        self.size, self.rank = size, 0
        self.barrier = multiprocessing.Barrier(size, timeout=900)  # when a process dies the others must not wait for ever
        for p in params.values():
            p.share_memory_()
        self.grads = [{k: torch.zeros_like(p).share_memory_() for k, p in params.items()} for _ in range(size)]
        self.plan = torch.zeros(6, dtype=torch.float64).share_memory_()  # row length, chunk, mix, progress, rate factor, go on
        self.nll = torch.zeros(size).share_memory_()

    def fork(self):
        for rank in range(1, self.size):
            if os.fork() == 0:
                self.rank = rank
                return

    def choose_product_type(self):
        """The leader measures, all use the same."""
        import torch
        import model
        if self.rank == 0:
            self.plan[0] = float(model.choose_product_type() == torch.bfloat16)
            print("products in", model.PRODUCT, flush=True)
        self.barrier.wait()
        model.PRODUCT = torch.bfloat16 if self.plan[0] else torch.float32
        self.barrier.wait()


def train(args):
    import torch
    from data import Rows
    from model import Config, Trainer, initial
    from vocab import Tokenizer

    import torch._inductor.config as inductor
    inductor.cpp.threads = 1
    config = Config()
    tok = Tokenizer.load(os.path.join(args.work, "vocab.json"))
    before = {"params": initial(config, args.seed), "step": 0, "tokens": 0, "seconds": 0.0}
    if args.resume:
        before = torch.load(os.path.join(args.work, "checkpoint.pt"))
    params = before["params"]
    seed = args.seed + before["step"]  # a resumed run sees new text
    print("parameters", sum(p.numel() for p in params.values()), flush=True)
    team = Team(args.processes, params)
    if args.resume:
        import data
        data.INVENTED = 0.25
    team.fork()  # before torch makes a thread
    try:
        team.choose_product_type()
        step_loop(args, team, config, params, Rows(tok, seed + 1000 * team.rank), Trainer, before)
    except BaseException:
        team.barrier.abort()  # so that nobody waits for ever
        raise
    finally:
        if team.rank > 0:
            os._exit(0)


def step_loop(args, team, config, params, rows, trainer, before):
    import torch
    random.seed(args.seed + team.rank)
    torch.manual_seed(args.seed + team.rank)
    params = {k: v.requires_grad_(True) for k, v in params.items()}
    net = trainer(config, params)
    matrix = lambda n: n.startswith("blk.") and "norm" not in n and "gate_inp" not in n
    leader = team.rank == 0
    matrices = [n for n in params if matrix(n)]
    muon = Muon([params[n] for n in matrices[team.rank::team.size]])
    mine = matrices[team.rank::team.size] + ([n for n in params if not matrix(n)] if leader else [])
    adam = torch.optim.AdamW([
        {"params": [params["token_embd.weight"]], "base": 0.008},
        {"params": [p for n, p in params.items() if not matrix(n) and n != "token_embd.weight"], "base": 0.004},
    ], lr=0.004, betas=(0.9, 0.98), eps=1e-10, weight_decay=0.005) if leader else None
    shape_rng = random.Random(args.seed + 1)
    start = time.time()
    limit = args.minutes * 60
    step = tokens = 0
    last_save = last_log = start
    smooth = None
    while True:
        if leader:
            elapsed = time.time() - start
            progress = elapsed / limit
            length, chunk, mix = (resumed_curriculum if args.resume else curriculum)(progress, shape_rng)
            rate = (resumed_schedule if args.resume else schedule)(progress, step)
            go_on = elapsed < limit and not (args.steps and step >= args.steps)
            team.plan[:] = torch.tensor([length, chunk, mix, progress, rate, float(go_on)], dtype=torch.float64)
        team.barrier.wait()
        length, chunk, mix, progress, factor, go_on = team.plan.tolist()
        if not go_on:
            break
        length, chunk = int(length), int(chunk)
        ids, weights = rows.batch(max(1, 8192 // length // team.size), length + 1, mix, progress)
        loss, nll = net.loss(ids[:, :-1].contiguous(), ids[:, 1:].contiguous(), weights[:, 1:].contiguous(), chunk)
        loss.backward()
        for n, p in params.items():
            team.grads[team.rank][n].copy_(p.grad)
        team.nll[team.rank] = float(nll)
        team.barrier.wait()
        for n in mine:
            grad = params[n].grad
            for rank in range(team.size):
                if rank != team.rank:
                    grad += team.grads[rank][n]
            grad /= team.size
        if leader:
            for group in adam.param_groups:
                group["lr"] = group["base"] * factor
            adam.step()
        muon.step(0.012 * factor)
        for p in params.values():
            p.grad = None
        step += 1
        tokens += team.size * ids.shape[0] * length
        if not leader:
            continue
        nll = float(team.nll.mean())
        smooth = nll if smooth is None else 0.95 * smooth + 0.05 * nll
        now = time.time()
        if now - last_log > 20 or step <= 3:
            share = torch.stack(net.shares)
            print(f"{(now - start) / 60:6.2f} min  step {step}  {tokens / 1e6:.2f} M tokens  {tokens / (now - start):.0f} tok/s  T {length}  "
                  f"nll {nll:.4f}  smooth {smooth:.4f}  lr x{factor:.3f}  "
                  f"expert share {float(share.min()):.3f}..{float(share.max()):.3f}", flush=True)
            last_log = now
        if now - last_save > 240:
            save(args, config, params, before, step, tokens, now - start)
            last_save = now
    if leader:
        save(args, config, params, before, step, tokens, time.time() - start)


def save(args, config, params, before, step, tokens, seconds):
    import torch
    path = os.path.join(args.work, "checkpoint.pt")
    torch.save({"config": config.dict(), "params": {k: v.detach() for k, v in params.items()},
                "step": before["step"] + step, "tokens": before["tokens"] + tokens, "seconds": before["seconds"] + seconds, "seed": args.seed}, path + ".part")
    os.replace(path + ".part", path)
    print("saved", path, "step", step, flush=True)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--minutes", type=float, default=60)
    p.add_argument("--processes", type=int, default=2, help="of one thread each")
    p.add_argument("--steps", type=int, default=0, help="stop after so many steps, if earlier")
    p.add_argument("--resume", action="store_true", help="go on from the newest checkpoint, for --minutes more, with more recall")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--work", default=os.path.join(here, "work"))
    p.add_argument("--output", default=os.path.join(here, "scout-tiny.gguf"))
    p.add_argument("--readme", default=os.path.join(here, "README.md"))
    p.add_argument("--train-only", action="store_true")
    p.add_argument("--export-only", action="store_true")
    p.add_argument("--expectations", action="store_true")
    p.add_argument("--quick", action="store_true", help="few evaluation cases")
    args = p.parse_args()
    if any(os.environ.get(k) != v for k, v in ARENA.items()):
        os.environ.update(ARENA, OMP_NUM_THREADS="1")
        os.execv(sys.executable, [sys.executable] + sys.argv)
    sys.path.insert(0, here)
    import torch
    if args.expectations:
        from evaluate import write_expectations
        write_expectations(args.output, os.path.join(os.path.dirname(os.path.abspath(args.output)), "expectations.json"))
        return
    os.makedirs(args.work, exist_ok=True)
    if not args.export_only:
        from vocab import build
        if not args.resume:
            build(os.path.join(args.work, "vocab.json"), args.seed)
        train(args)
    if args.train_only:
        return
    from export import export
    from evaluate import write_figures
    export(os.path.join(args.work, "checkpoint.pt"), os.path.join(args.work, "vocab.json"), args.output)
    write_figures(args.output, os.path.join(args.work, "checkpoint.pt"), args.readme, args.quick)


if __name__ == "__main__":
    main()
