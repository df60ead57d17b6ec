#!/usr/bin/env python3
"""How long a photo takes to become tiles, beside what PIL needs for the same two resizes on the same core, in one run.

    ninja -C build image_tool && env/bin/python tests/bench/image_compare.py build/bin/image_tool

Rounds alternate between the two; the ratio of each round is taken and their median is told. PIL (its own process, one thread) resizes to the
canvas and to the whole tile and does not cut, pad or turn anything into planes; libscout does all of it.
"""
import os
import statistics
import subprocess
import sys
import time

from PIL import Image


def main():
    tool = sys.argv[1]
    width, height = 4000, 3000  # which is drawn 1344 x 1008
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    image = Image.frombytes("RGB", (width, height), os.urandom(width * height * 3))
    ours, pils, ratios = [], [], []
    for _ in range(9):
        begin = time.perf_counter()
        image.resize((1344, 1008), Image.Resampling.BILINEAR)
        image.resize((336, 336), Image.Resampling.BILINEAR)
        pil = (time.perf_counter() - begin) * 1e3
        out = subprocess.run([tool, str(width), str(height), "3"], check=True, capture_output=True, text=True).stdout
        own = statistics.median(float(line) for line in out.split())
        ours.append(own)
        pils.append(pil)
        ratios.append(pil / own)
    print(f"{width} x {height}: libscout {statistics.median(ours):.1f} ms, PIL {statistics.median(pils):.1f} ms, "
          f"PIL / libscout {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
