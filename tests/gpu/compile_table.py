#!/usr/bin/env python3
"""Compiles every kernel of backends/gpu for a list of architectures and prints what each takes: registers, bytes of shared memory that the
compiler itself lays out, bytes of stack and of spilled registers.

A compiler that is not installed is said and left out.
Exits 1 when a kernel does not compile or one that a step spends its time in spills registers, 77 when no compiler is there.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CUDA = ["sm_75", "sm_80", "sm_86", "sm_89", "sm_90a", "sm_100a", "sm_103a", "sm_120"]
HIP = ["gfx906", "gfx908", "gfx90a", "gfx940", "gfx1030"]
QUICK = ["sm_80", "gfx906", "gfx90a"]  # gfx906 has the fewest registers, gfx90a the matrix instructions
# What a step of text spends its time in. The others run once for a picture or when a device is opened.
HOT = re.compile(r"(ProductFew|FewTasks|ProductMany|ProductFast|ProductFastBlocks|ProductWide|ProductTensor|PackRows|ProductValues|RoundRows|ScaleProduct|Attend|AttendFast|MergeSpans|RopeNormStore|RmsNorm|Quantize|SwiGlu|Route|"
                 r"CountSlots|ListSlots|ScaleRows|Combine|Embed(Blocks|Values)|SampleBlocks)\b")


def find_nvcc():
    return shutil.which("nvcc") or next((p for p in ["/usr/local/cuda/bin/nvcc"] if os.path.exists(p)), None)


def readable(mangled):
    """scout::cuda::ProductFew<scout::cuda::Q4_K>(...) -> ProductFew<Q4_K>"""
    text = subprocess.run(["c++filt"], input=mangled, capture_output=True, text=True).stdout.strip()
    text = re.sub(r"\(scout::gpu::.*\)$", "", text).replace("void ", "")
    return re.sub(r"scout::(cuda|hip)::", "", text)


def compile_cuda(nvcc, architecture, out):
    number = architecture[3:]
    command = [nvcc, "-std=c++20", "-O3", "--fmad=false", "-DSCOUT_GPU=cuda", "-Ibackends", "-Isrc", "-Ibackends/cuda", "-gencode",
               f"arch=compute_{number},code={architecture}", "-Xptxas", "-v", "-c", "backends/cuda/kernels.cu", "-o", out]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    text = run.stdout + run.stderr
    kernels = []
    for part in text.split("Compiling entry function '")[1:]:
        name = part.split("'")[0]
        registers = int(re.search(r"Used (\d+) registers", part).group(1))
        stack, stores, loads = map(int, re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", part).groups())
        shared = re.search(r"(\d+) bytes smem", part)
        kernels.append((readable(name), registers, int(shared.group(1)) if shared else 0, stack, stores + loads))
    return run.returncode, text, kernels


def compile_hip(hipcc, architecture, out):
    width = "32" if architecture.startswith("gfx1") else "64"
    command = [hipcc, "-std=c++20", "-O3", "-ffp-contract=off", "-DSCOUT_GPU=hip", f"-DSCOUT_GPU_WARP={width}", "-Ibackends", "-Isrc",
               "-Ibackends/hip", f"--offload-arch={architecture}", "--rocm-device-lib-path=/usr/lib/x86_64-linux-gnu/amdgcn/bitcode",
               "-Rpass-analysis=kernel-resource-usage", "--cuda-device-only", "-S", "backends/hip/kernels.hip.cpp", "-o", out]
    environment = dict(os.environ, HIP_PLATFORM="amd")
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    text = run.stdout + run.stderr
    kernels = []
    listing = open(out).read() if run.returncode == 0 and os.path.exists(out) else ""
    # The metadata at the end of the listing has one entry for each kernel.
    for part in re.split(r"\n  - ", listing.split("amdhsa.kernels:")[-1])[1:]:
        def number(field):
            found = re.search(rf"\.{field}:\s+(\d+)", part)
            return int(found.group(1)) if found else 0
        name = re.search(r"\.name:\s+'?([^'\s]+)", part[part.find(".max_flat"):] if ".max_flat" in part else part)
        if not name:
            continue
        kernels.append((readable(name.group(1)), number("vgpr_count"), number("group_segment_fixed_size"),
                        number("private_segment_fixed_size"), 4 * (number("vgpr_spill_count") + number("sgpr_spill_count"))))
    return run.returncode, text, kernels


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("architectures", nargs="*", metavar="ARCHITECTURE", help="sm_NN for nvcc, gfxNNN for hipcc; default: all that are served")
    parser.add_argument("--quick", action="store_true", help="three of them")
    parser.add_argument("--full", action="store_true", help="a line for every kernel, not for the worst ones of an architecture")
    options = parser.parse_args(arguments)
    full, wanted = options.full, options.architectures or (QUICK if options.quick else CUDA + HIP)
    nvcc, hipcc = find_nvcc(), shutil.which("hipcc")
    failed = compiled = 0
    print(f"{'architecture':<14}{'kernel':<32}{'registers':>10}{'shared':>8}{'stack':>8}{'spilled':>9}")
    with tempfile.TemporaryDirectory() as folder:
        for architecture in wanted:
            compiler, tool, compile_one = (nvcc, "nvcc", compile_cuda) if architecture.startswith("sm_") else (hipcc, "hipcc", compile_hip)
            if not compiler:
                print(f"{architecture:<14}skipped: there is no {tool} here")
                continue
            code, text, kernels = compile_one(compiler, architecture, os.path.join(folder, "kernels.out"))
            if code != 0 or not kernels:
                failed += 1
                print(f"{architecture:<14}DOES NOT COMPILE\n{text[-3000:]}")
                continue
            compiled += 1
            kernels.sort()
            shown = kernels if full else sorted(kernels, key=lambda k: (k[4], k[1]))[-3:]
            for name, registers, shared, stack, spilled in shown:
                print(f"{architecture:<14}{name:<32}{registers:>10}{shared:>8}{stack:>8}{spilled:>9}")
            hot = [k[0] for k in kernels if k[4] > 0 and HOT.match(k[0])]
            failed += len(hot) > 0
            print(f"{architecture:<14}{len(kernels)} kernels, {sum(k[4] > 0 for k in kernels)} of them spill registers"
                  + (f"; of those that must not: {', '.join(hot)}" if hot else ""), flush=True)
    if failed:
        return 1
    return 0 if compiled else 77


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
