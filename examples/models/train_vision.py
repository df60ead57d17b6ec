#!/usr/bin/env python3
"""Teaches scout-tiny to see: a vision tower in front of the bundled text model, trained on pictures made by pictures.py.

    python train_vision.py --minutes 60            train, export and evaluate, all in the work directory
    python train_vision.py --continue --minutes 60 go on with a run of so many minutes that was interrupted (a checkpoint a minute)
    python train_vision.py --resume --minutes 20   train on from the newest checkpoint
    python train_vision.py --export-only           export and evaluate the newest checkpoint
    python train_vision.py --install               put the result in place: the model, README.md, both files of expectations

The evaluation ends with what the text model could do before and can do now, side by side; install only what has not lost.
Starts from the de-quantised weights of the bundled file, whose vocabulary stays as it is. First the tower alone learns, from
labels, to tell for each of its rows what is there and beside it; then tower and text model learn together from chats about
pictures, with rows of the old text between, so that nothing old is forgotten. The work directory holds checkpoints; the schedule
follows the clock as that of train.py does.
"""
import argparse
import math
import os
import random
import re
import shutil
import sys
import time

from train import ARENA, Muon, Team, schedule

TOWER_ALONE = 0.25  # of the time
TOWER_RATE = 0.25   # of the tower's learning rates when it learns together with the text model, beside those it has alone
TEXT_RATE = 0.35   # of the text model's learning rates, beside those it was trained with
LABEL_WEIGHT = 0.5  # of the labels' loss beside that of the answers


def starting_point(args):
    import torch
    from export import load
    from sights import CLASSES
    from vision import VisionConfig, vision_initial, vision_shapes
    config, params, tok = load(args.base)
    params = {k: v for k, v in params.items() if not k.startswith(("v.", "mm."))}
    if args.resume or args.go_on:
        before = torch.load(os.path.join(args.work, "vision.pt"))
        vision = VisionConfig(**before["vision"])
        if before["params"]["aux.bias"].numel() != sum(CLASSES):  # other labels than before
            before["params"].update(label_heads(vision, args.seed))
        return config, vision, before["params"], tok, before
    vision = VisionConfig(out=config.hidden)
    tower = vision_initial(vision, args.seed)
    assert set(tower) == set(vision_shapes(vision))
    tower |= label_heads(vision, args.seed)
    return config, vision, params | tower, tok, {"step": 0, "tokens": 0, "pictures": 0, "seconds": 0.0, "elapsed": 0.0, "joint": 0}


def label_heads(vision, seed):
    import torch
    from sights import CLASSES
    return {"aux.weight": torch.randn(sum(CLASSES), vision.out, generator=torch.Generator().manual_seed(seed)) * 0.05, "aux.bias": torch.zeros(sum(CLASSES))}


def match(vision, params, seed):
    """Rows of the tower start at the size of the text model's own."""
    import torch
    from vision import Tower
    noise = torch.randint(0, 256, (4, 3, vision.tile, vision.tile), generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        now = Tower(vision, params, exact=True).features(noise).pow(2).mean().sqrt()
        params["mm.linear_1.weight"] *= params["token_embd.weight"].pow(2).mean().sqrt() / now


def label_loss(features, labels, P):
    """(loss, share of the labels told) over [N, rows, LABELS]; the two of the row's own thing weigh as much as all others."""
    import torch
    import torch.nn.functional as F
    from sights import CLASSES
    logits = F.linear(features.flatten(0, 1), P["aux.weight"], P["aux.bias"]).split(CLASSES, 1)
    labels = labels.flatten(0, 1)
    own = [F.cross_entropy(logits[k], labels[:, k]) for k in (0, 1)]
    near = [F.cross_entropy(logits[k], labels[:, k]) for k in range(2, labels.shape[1]) if (labels[:, k] >= 0).any()]
    loss = sum(own) / len(own) + (sum(near) / len(near) if near else 0.0)
    with torch.no_grad():
        things = labels[:, 0] > 0
        right = [float((x.argmax(1) == labels[:, k])[things & (labels[:, k] >= 0)].float().mean()) for k, x in enumerate(logits)]
    return loss, (sum(right[:2]) / 2, sum(right[2:]) / len(right[2:]))


def accuracy(net, tower, sights, rows, length, level, largest, blind=False):
    """{kind: [answered exactly, asked]} on fresh held-out pictures, every token of the answer being the likeliest one. blind: each
    answer is given looking at another picture."""
    import torch
    out = {}
    with torch.no_grad():
        for _ in range(rows // 4):
            b = sights.batch(4, length + 1, level, largest)
            features = tower.features(b.tiles)
            where = (b.turns.flatten() >= 0).nonzero()[:, 0]
            logits = net.logits(b.ids, where, 128, b.pictures(features.roll(1, 0) if blind else features))
            target, turn = b.targets.flatten()[where], b.turns.flatten()[where]
            good = torch.ones(len(b.kinds), dtype=torch.long).scatter_reduce(0, turn, (logits.argmax(1) == target).long(), "amin")
            whole = set(turn[target == sights.tok.eot].tolist())
            for i, kind in enumerate(b.kinds):
                if i in whole:
                    cell = out.setdefault(kind, [0, 0])
                    cell[0] += int(good[i])
                    cell[1] += 1
    return out


def told(result):
    g, n = (sum(x[k] for x in result.values()) for k in (0, 1))
    return f"{100 * g / max(1, n):.1f} % of {n}", "  ".join(f"{k} {100 * x[0] // x[1]}" for k, x in sorted(result.items()))


def train(args):
    import torch
    import data
    import torch._inductor.config as inductor
    inductor.cpp.threads = 1
    config, vision, params, tok, before = starting_point(args)
    count = lambda *starts: sum(p.numel() for n, p in params.items() if n.startswith(starts))
    print("parameters: tower", count("v.", "mm."), " text", count("blk.", "token", "output"), flush=True)
    team = Team(args.processes, params)
    data.INVENTED = 0.25  # as at the end of the text model's own training
    team.fork()  # before torch makes a thread
    try:
        if team.rank == 0 and not before["step"]:
            match(vision, params, args.seed)
        choose_products(team, config, vision, params, tok, args.seed)
        loop(args, team, config, vision, params, tok, before)
    except BaseException:
        team.barrier.abort()  # so that nobody waits for ever
        raise
    finally:
        if team.rank > 0:
            os._exit(0)


def choose_products(team, config, vision, params, tok, seed):
    """The leader measures a whole step with each type of products, all use the faster one."""
    import torch
    import model
    from sights import Sights
    from vision import Tower
    if team.rank == 0:
        learnt = {k: v.detach().requires_grad_(True) for k, v in params.items()}
        net, tower, took = model.Trainer(config, learnt, False), Tower(vision, learnt), {}
        b = Sights(tok, vision, seed).batch(8, 257, 1.0)
        for model.PRODUCT in (torch.float32, torch.bfloat16) * 3:
            start = time.process_time()  # other programs do not count
            loss, _ = net.loss(b.ids, b.targets, b.weights, 128, b.pictures(tower.features(b.tiles)))
            loss.backward()
            took[model.PRODUCT] = min(time.process_time() - start, took.get(model.PRODUCT, math.inf))
        team.plan[0] = float(took[torch.bfloat16] < took[torch.float32])
        print("seconds of a step of 2,048 tokens:", "  ".join(f"{k} {x:.2f}" for k, x in took.items()), flush=True)
    team.barrier.wait()
    model.PRODUCT = torch.bfloat16 if team.plan[0] else torch.float32
    team.barrier.wait()


class Optimisers:
    """Muon for matrices, AdamW for the rest; each rank updates its share of the matrices, the leader everything else."""

    def __init__(self, args, team, params):
        import torch
        seen = lambda n: n.startswith(("v.", "mm.", "aux."))
        matrix = lambda n: params[n].dim() >= 2 and not any(s in n for s in ("norm", "gate_inp", "positional", "aux", "token_embd", "output.weight")) \
            or n.endswith("attn_output.weight")
        share = lambda names: names[team.rank::team.size]
        self.text_rate, leader = args.text_rate, team.rank == 0
        mine = {key: share([n for n in params if matrix(n) and seen(n) == key]) for key in (True, False)}
        rest = [n for n in params if not matrix(n)] if leader else []
        self.mine = {key: mine[key] + [n for n in rest if seen(n) == key] for key in (True, False)}
        self.muon = {key: Muon([params[n] for n in mine[key]]) for key in mine}
        adam = lambda key: torch.optim.AdamW([
            {"params": [params[n] for n in rest if seen(n) == key and n == "token_embd.weight"], "base": 0.008},
            {"params": [params[n] for n in rest if seen(n) == key and n != "token_embd.weight"], "base": 0.004}],
            lr=0.004, betas=(0.9, 0.98), eps=1e-10, weight_decay=0.005)
        self.adam = {key: adam(key) for key in mine} if leader else {}

    def step(self, factor, with_text):
        for key in (True, False) if with_text else (True,):
            f = factor * (TOWER_RATE if key else self.text_rate) if with_text else factor
            if key in self.adam:
                for group in self.adam[key].param_groups:
                    group["lr"] = group["base"] * f
                self.adam[key].step()
            self.muon[key].step(0.012 * f)


def joint_plan(p, rng):
    """(row length of pictures, tiles a side at most, level of the scenes) at progress p of the joint part."""
    if p < 0.2:
        return 256, 1, 0.2 + 4 * p
    return (256, 1, 1.0) if p < 0.4 or rng.random() < 0.8 else (384, rng.choice((2, 3, 3, 4)), 1.0)


def loop(args, team, config, vision, params, tok, before):
    import torch
    from data import Rows
    from model import Trainer
    from sights import Sights
    from vision import Tower
    seed = args.seed + before["step"] + 1000 * team.rank  # a resumed run sees new pictures
    random.seed(seed)
    torch.manual_seed(seed)
    params = {k: v.requires_grad_(True) for k, v in params.items()}
    net, tower = Trainer(config, params, args.compile), Tower(vision, params)
    sights, held, rows = Sights(tok, vision, seed + 7), Sights(tok, vision, 99, held=True), Rows(tok, seed)
    leader, optimisers, rng = team.rank == 0, Optimisers(args, team, params), random.Random(args.seed + 1)
    last_save = last_log = last_look = time.time()
    done = before["elapsed"] if args.go_on else 0.0
    start = last_save - done  # as if nothing had been between
    limit, alone = args.minutes * 60, args.alone
    step = tokens = pictures = 0
    joint = before["joint"] if args.go_on else 0
    smooth = {}
    while True:
        if leader:
            progress = (time.time() - start) / limit
            p = (progress - alone) / (1 - alone)
            length, largest, level = joint_plan(0.5 + p / 2 if args.resume else p, rng)
            go_on = progress < 1 and not (args.steps and step >= args.steps)
            team.plan[:] = torch.tensor([length, largest, level, progress, rng.choice((256, 512, 768, 768, 1024)), float(go_on)], dtype=torch.float64)
        team.barrier.wait()
        length, largest, level, progress, text_length, go_on = team.plan.tolist()
        if not go_on:
            break
        length, largest, text_length = int(length), int(largest), int(text_length)
        together = progress >= alone
        said = {}
        if not together:
            ps = [sights.picture(sights.r.random(), 1 if sights.r.random() < 0.8 else 2) for _ in range(args.tiles // team.size)]
            tiles, labels = torch.stack([p.tiles[-1] for p in ps]), torch.stack([torch.from_numpy(p.labels) for p in ps])
            loss, said["own"], said["near"] = spread(label_loss(tower.features(tiles), labels, params))
            loss.backward()
            pictures += len(ps) * team.size
            said["labels"] = float(loss.detach())
            factor = TOWER_RATE + (1 - TOWER_RATE) * 0.5 * (1 + math.cos(math.pi * min(1.0, max(0.0, 2 * progress / alone - 1))))
        else:
            p = (progress - alone) / (1 - alone)
            factor = schedule(p, joint) * args.peak
            count = max(1, round(args.tokens * (1 - args.text_share) / length / team.size))
            b = sights.batch(count, length + 1, level, largest)
            features = tower.features(b.tiles)
            labels, said["own"], said["near"] = spread(label_loss(features[b.last], b.labels, params))
            loss, nll = net.loss(b.ids, b.targets, b.weights, 128, b.pictures(features))
            (loss + LABEL_WEIGHT * labels).backward()
            said |= {"labels": float(labels.detach()), "answers": float(nll)}
            more = max(1, round(args.tokens * args.text_share / text_length / team.size))
            ids, weights = rows.batch(more, text_length + 1, 0.6, progress)
            loss, nll = net.loss(ids[:, :-1].contiguous(), ids[:, 1:].contiguous(), weights[:, 1:].contiguous(), 128)
            loss.backward()
            said["text"] = float(nll)
            tokens += team.size * (count * length + more * text_length)
            pictures += team.size * len(b.last)
            joint += 1
        factor *= min(1.0, (step + 1) / 30)
        exchange(team, optimisers.mine, params, together)
        optimisers.step(factor, together)
        for q in params.values():
            q.grad = None
        step += 1
        if not leader:
            continue
        for k, x in said.items():
            smooth[k] = x if k not in smooth else 0.95 * smooth[k] + 0.05 * x
        now = time.time()
        if now - last_log > 20 or step <= 3:
            print(f"{(now - start) / 60:6.2f} min ({time.process_time() / 60:.2f} of processor)  step {step}  {pictures} pictures  {tokens / 1e6:.2f} M tokens  lr x{factor:.3f}  " +
                  "  ".join(f"{k} {x:.3f}" for k, x in smooth.items()), flush=True)
            last_log = now
        if together and now - last_look > args.look_every:
            result = accuracy(net, tower, held, 16, 256, 1.0, 1)
            print("       held-out answers right:", *told(result), flush=True)
            last_look = time.time()
        if now - last_save > 60:
            save(args, config, vision, params, before, step, tokens, pictures, joint, now - start, done)
            last_save = now
    if leader:
        save(args, config, vision, params, before, step, tokens, pictures, joint, time.time() - start, done)
        for name, how in (("one tile", (1, False)), ("up to 9 tiles", (3, False)), ("one tile, looking at another picture", (1, True))):
            print(f"held-out answers right, {name}:", *told(accuracy(net, tower, held, args.look_rows, 384, 1.0, how[0], how[1])), flush=True)


def spread(result):
    loss, (own, near) = result
    return loss, own, near


def exchange(team, mine, params, with_text):
    """Every rank's gradients to shared memory, and their mean for the parameters that this rank updates."""
    import torch
    for n, p in params.items():
        if p.grad is not None:
            team.grads[team.rank][n].copy_(p.grad)
        else:
            team.grads[team.rank][n].zero_()
    team.barrier.wait()
    for key in (True, False) if with_text else (True,):
        for n in mine[key]:
            p = params[n]
            p.grad = team.grads[0][n].clone() if p.grad is None or team.rank else p.grad
            for rank in range(1, team.size):
                p.grad += team.grads[rank][n]
            p.grad /= team.size


def save(args, config, vision, params, before, step, tokens, pictures, joint, elapsed, done):
    import torch
    path = os.path.join(args.work, "vision.pt")
    torch.save({"config": config.dict(), "vision": vision.dict(), "params": {k: v.detach() for k, v in params.items()}, "seed": args.seed,
                "step": before["step"] + step, "tokens": before["tokens"] + tokens, "pictures": before["pictures"] + pictures,
                "seconds": before["seconds"] + elapsed - done, "elapsed": elapsed, "joint": joint}, path + ".part")
    os.replace(path + ".part", path)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    bundled = os.path.join(here, "scout-tiny.gguf")
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--minutes", type=float, default=60)
    p.add_argument("--processes", type=int, default=2, help="of one thread each")
    p.add_argument("--steps", type=int, default=0, help="stop after so many steps, if earlier")
    p.add_argument("--resume", action="store_true", help="go on from the newest checkpoint, for --minutes more")
    p.add_argument("--continue", dest="go_on", action="store_true", help="go on with an interrupted run of --minutes in all")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--alone", type=float, help="share of the time in which the tower learns alone; 0.25, or none when a run is resumed")
    p.add_argument("--peak", type=float, default=1.0, help="highest factor of the learning rates when both learn together")
    p.add_argument("--tokens", type=int, default=6144, help="of a joint step")
    p.add_argument("--tiles", type=int, default=96, help="of a step of the tower alone")
    p.add_argument("--text-share", type=float, default=0.33, help="of the tokens of a joint step that are old text")
    p.add_argument("--text-rate", type=float, default=TEXT_RATE, help="of the text model's learning rates")
    p.add_argument("--look-every", type=float, default=120, help="seconds between looks at held-out pictures")
    p.add_argument("--look-rows", type=int, default=64, help="rows of the last look")
    p.add_argument("--no-compile", dest="compile", action="store_false")
    p.add_argument("--work", default=os.path.join(here, "work"))
    p.add_argument("--base", default=bundled, help="the model that learns to see")
    p.add_argument("--install", action="store_true")
    p.add_argument("--train-only", action="store_true")
    p.add_argument("--export-only", action="store_true")
    p.add_argument("--quick", action="store_true", help="few evaluation cases")
    args = p.parse_args()
    if args.alone is None:
        args.alone = 0.0 if args.resume else TOWER_ALONE
    if any(os.environ.get(k) != v for k, v in ARENA.items()):
        os.environ.update(ARENA, OMP_NUM_THREADS="1")
        os.execv(sys.executable, [sys.executable] + sys.argv)
    sys.path.insert(0, here)
    if args.install:
        install(args, here)
        return
    os.makedirs(args.work, exist_ok=True)
    if not args.export_only:
        train(args)
    if args.train_only:
        return
    from export import export_seeing
    from evaluate import write_figures
    from evaluate_vision import write_vision_figures
    checkpoint, readme = os.path.join(args.work, "vision.pt"), os.path.join(args.work, "README.md")
    export_seeing(checkpoint, args.base, os.path.join(args.work, "scout-tiny.gguf"))
    shutil.copyfile(os.path.join(here, "README.md"), readme)
    write_vision_figures(os.path.join(args.work, "scout-tiny.gguf"), checkpoint, readme, args.quick)
    write_figures(os.path.join(args.work, "scout-tiny.gguf"), checkpoint, readme, args.quick)
    compare(os.path.join(here, "README.md"), readme)


def compare(before, after):
    """The text model's figures of two READMEs."""
    def figures(path):
        with open(path) as f:
            block = f.read().split("<!-- figures -->")[1].split("<!-- /figures -->")[0]
        return dict(re.findall(r"^\| \**(.*?)\** \| \**([\d.]+ %.*?)\** \|$", block, re.M))
    old, new = figures(before), figures(after)
    print(f"{'before':>24}  {'now':>24}")
    for name in new:
        print(f"{old.get(name, '-'):>24}  {new[name]:>24}  {name}")


def install(args, here):
    """Everything that depends on the weights."""
    import evaluate
    import evaluate_vision
    model = os.path.join(here, "scout-tiny.gguf")
    shutil.copyfile(os.path.join(args.work, "scout-tiny.gguf"), model)
    shutil.copyfile(os.path.join(args.work, "README.md"), os.path.join(here, "README.md"))
    evaluate.write_expectations(model, os.path.join(here, "expectations.json"))
    evaluate_vision.write_expectations(model, os.path.join(here, "expectations_vision.json"))


if __name__ == "__main__":
    main()
