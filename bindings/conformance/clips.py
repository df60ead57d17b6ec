"""Behaviours of clips: what generate.py lists of them, and the clip itself: Motion JPEG in QuickTime, written here byte by byte.

Its pictures are flat fields of grey: a block's only coefficient is its level, so that every decoder gives the same pixels."""
import ctypes
import struct

import library
from pictures import checksum, filled, tile_options

SIDE = 16  # pixels, two blocks of 8
# The levels of a picture's four blocks, row by row; half a second each.
FRAMES = [[40, 40, 40, 40], [40, 48, 40, 40], [200, 40, 40, 200], [88, 88, 248, 88]]
STEP = 64  # of a coefficient, which is eight levels; a byte that is printed as itself
CATEGORIES = 6  # of differences between coefficients: their number of bits, 0 to 5


def segment(marker, data):
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def jpeg(levels):
    """A grey picture of four blocks. Categories have codes of four bits; behind a coefficient stands one bit: no more of this block."""
    tables = bytes([0x00] + [0, 0, 0, CATEGORIES] + [0] * 12 + list(range(CATEGORIES))) + bytes([0x10] + [1] + [0] * 15 + [0])
    bits, before = "", 0
    for coefficient in [(level - 128) * 8 // STEP for level in levels]:
        step, before = coefficient - before, coefficient
        count = abs(step).bit_length()
        bits += f"{count:04b}" + (f"{step if step > 0 else step + 2**count - 1:0{count}b}" if count else "") + "0"
    bits += "1" * (-len(bits) % 8)
    data = b"".join(bytes([byte]) + (b"\0" if byte == 0xFF else b"") for byte in int(bits, 2).to_bytes(len(bits) // 8, "big"))
    return (b"\xff\xd8" + segment(0xDB, bytes([0]) + bytes([STEP]) * 64) + segment(0xC0, struct.pack(">BHHB3B", 8, SIDE, SIDE, 1, 1, 0x11, 0))
            + segment(0xC4, tables) + segment(0xDA, bytes([1, 1, 0x00, 0, 63, 0])) + data + b"\xff\xd9")


def box(kind, *parts):
    data = b"".join(parts)
    return struct.pack(">I", len(data) + 8) + kind + data


def clip(levels=FRAMES, per_second=2):
    """The file's bytes."""
    matrix = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    frames = [jpeg(frame) for frame in levels]
    start = box(b"ftyp", b"qt  ", struct.pack(">I", 0x200), b"qt  ")
    count = len(frames)
    entry = box(b"jpeg", struct.pack(">6xH16xHHIIIH32xHh", 1, SIDE, SIDE, 72 << 16, 72 << 16, 0, 1, 8 + 32, -1))  # 40: grey of 8 bits
    table = box(b"stbl", box(b"stsd", struct.pack(">II", 0, 1), entry), box(b"stts", struct.pack(">IIII", 0, 1, count, 1)),
                box(b"stsc", struct.pack(">IIIII", 0, 1, 1, count, 1)),
                box(b"stsz", struct.pack(f">III{count}I", 0, 0, count, *map(len, frames))), box(b"stco", struct.pack(">III", 0, 1, len(start) + 8)))
    media = box(b"mdia", box(b"mdhd", struct.pack(">IIIIIHH", 0, 0, 0, per_second, count, 0x55C4, 0)),
                box(b"hdlr", struct.pack(">II4s12xB", 0, 0, b"vide", 0)),
                box(b"minf", box(b"vmhd", struct.pack(">IHHHH", 1, 0, 0, 0, 0)),
                    box(b"dinf", box(b"dref", struct.pack(">II", 0, 1), box(b"url ", struct.pack(">I", 1)))), table))
    track = box(b"trak", box(b"tkhd", struct.pack(">IIIIII8xHHHH", 7, 0, 0, 1, 0, count, 0, 0, 0, 0), matrix, struct.pack(">II", SIDE << 16, SIDE << 16)), media)
    movie = box(b"moov", box(b"mvhd", struct.pack(">IIIIIIH10x", 0, 0, 0, per_second, count, 0x10000, 0x100), matrix, struct.pack(">6II", 0, 0, 0, 0, 0, 0, 2)), track)
    return start + box(b"mdat", *frames) + movie


def open_clip(m, data, given):
    return m.lib.new("scout_video_from_bytes", data, len(data), m.lib.options("scout_video_options", given))


def clips(m, escape):
    whole = escape(clip())
    sides = {"tile_side": SIDE}
    shown = {"a_frame_a_second": {}, "four_a_second": {"fps": 4.0}, "three_in_all": {"count": 3}, "cuts": {"fps": 2.0, "scene_change": 10.0},
             "a_part": {"fps": 2.0, "start_us": 400000, "end_us": 1200000}, "turned": {"count": 1, "start_us": 1000000, "orientation": 8}}
    for name, given in shown.items():
        video = open_clip(m, clip(), given)
        info = filled(m, "scout_video_info", lambda to: m.lib.scout_video_get_info(video, to))
        times, sums = [], []
        while True:
            image, time = ctypes.c_void_p(), ctypes.c_int64()
            if m.lib.scout_video_next(video, ctypes.byref(image), ctypes.byref(time)) == m.lib.values["SCOUT_DONE"]:
                break
            room = ctypes.create_string_buffer(3 * SIDE * SIDE)
            m.lib.scout_image_tile(image, tile_options(m, sides), 0, room, len(room), ctypes.byref(ctypes.c_uint64()))
            times.append(time.value)
            sums.append(checksum(room.raw))
            m.lib.scout_image_free(image)
        m.add(f"video.{name}", "video", clip=whole, video_option=given, tile_option=sides,
              info=[info.width, info.height, info.orientation, info.duration_us, info.frames], frame_rate=info.frame_rate,
              container=escape(info.container), codec=escape(info.codec), times=times, checksums=sums)
        m.lib.scout_video_free(video)
    errors(m, escape, whole)


def errors(m, escape, whole):
    code = m.lib.values
    riff = escape(b"RIFF" + bytes(4) + b"AVI LIST" + bytes(16))
    refused = {
        "avi": ("bytes", "UNSUPPORTED", "AVI", {"clip": riff}),
        "empty": ("bytes", "TRUNCATED", "0 bytes", {"clip": ""}),
        "too_long": ("bytes", "LIMIT", "32 bytes, at most 31 (max_bytes)", {"clip": riff, "video_option": {"max_bytes": 31}}),
        "no_file": ("file", "IO", "no/such/clip.mp4", {"path": "no/such/clip.mp4"}),
        "address": ("file", "UNSUPPORTED", "never over a network", {"path": "https://example.org/clip.mp4"}),
        "count_and_fps": ("bytes", "ARGUMENT", "count is 2 and fps is 1, one must be 0", {"clip": riff, "video_option": {"count": 2, "fps": 1.0}}),
        "no_part": ("bytes", "ARGUMENT", "end_us is 5, start_us is 5", {"clip": riff, "video_option": {"start_us": 5, "end_us": 5}}),
        "scene_change": ("bytes", "ARGUMENT", "scene_change is 101, must be 0 to 100", {"clip": riff, "video_option": {"scene_change": 101.0}}),
        "too_many": ("bytes", "LIMIT", "4 frames are chosen of 2000 ms, at most 3 (max_frames)", {"clip": whole, "video_option": {"fps": 2.0, "max_frames": 3}}),
        "too_much_work": ("next", "LIMIT", "768 pixels were decoded by the frame at 1.000 s, at most 512 (max_work)", {"clip": whole, "video_option": {"fps": 2.0, "max_work": 2 * SIDE * SIDE}}),
        "cancelled": ("cancelled", "CANCELLED", "the video was cancelled", {"clip": whole}),
        "closed": ("closed", "STATE", "", {"clip": whole}),
        "without_vision": ("chat", "UNSUPPORTED", "vision tower", {"clip": whole}),
        "frame_without_vision": ("chat_frame", "UNSUPPORTED", "vision tower", {"clip": whole}),
    }
    for name, (call, status, names, given) in refused.items():
        m.add(f"error.video.{name}", "error_video", call=call, **given, status=code[f"SCOUT_ERR_{status}"], names=names)
