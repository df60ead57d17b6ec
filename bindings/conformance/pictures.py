"""Behaviours of pictures: what generate.py lists of them. Pictures are made of numbers, so that nothing has to be decoded."""
import ctypes

import library

GRID = ("rows", "columns", "tiles", "drawn_width", "drawn_height", "tokens")


def samples(seed, count):
    """The high bytes of a linear congruential generator."""
    made = bytearray()
    for _ in range(count):
        seed = (seed * 1664525 + 1013904223) % 2**32
        made.append(seed >> 24)
    return bytes(made)


def checksum(data):
    """FNV-1a of 32 bits, without the highest, so that it is a number in every language."""
    value = 2166136261
    for byte in data:
        value = (value ^ byte) * 16777619 % 2**32
    return value % 2**31


def image_of(m, picture, given):
    width, height, channels, seed = picture
    pixels = samples(seed, width * height * channels)
    return m.lib.new("scout_image_from_pixels", pixels, len(pixels), width, height, 0, channels, m.lib.options("scout_image_options", given))


def tile_options(m, given):
    return ctypes.byref(m.lib.options("scout_tile_options", given))


def filled(m, struct, call):
    made = m.lib.structs[struct]()
    made.struct_size = ctypes.sizeof(made)
    call(ctypes.byref(made))
    return made


def grid(tiling):
    return [getattr(tiling, name) for name in GRID]


def pictures(m, escape):
    shown = {"one_tile": ([16, 16, 3, 1], {}, {}), "grey": ([40, 20, 1, 2], {}, {"tile_side": 16}),
             "wide": ([50, 20, 3, 3], {}, {"tile_side": 16, "patch_tokens": 4}), "tall": ([7, 61, 3, 4], {}, {"tile_side": 16, "max_tiles": 6}),
             "enlarged": ([5, 3, 3, 5], {}, {"tile_side": 32}), "shrunk": ([200, 130, 3, 6], {}, {"tile_side": 24, "max_tiles": 4}),
             "turned": ([30, 12, 3, 7], {"orientation": 6}, {"tile_side": 16}),
             "transparent": ([24, 24, 4, 8], {}, {"tile_side": 16}), "over_white": ([24, 24, 4, 8], {"alpha": 2}, {"tile_side": 16}),
             "grey_and_alpha": ([17, 16, 2, 9], {"alpha": 2}, {"tile_side": 16, "max_tiles": 1}),
             "as_pil": ([50, 20, 3, 3], {}, {"tile_side": 16, "resize": 2, "threads": 1})}
    for name, (picture, image_option, tile_option) in shown.items():
        image = image_of(m, picture, image_option)
        info = filled(m, "scout_image_info", lambda to: m.lib.scout_image_get_info(image, to))
        options = tile_options(m, tile_option)
        tiling = filled(m, "scout_tiling", lambda to: m.lib.scout_image_get_tiling(image, options, to))
        sums = []
        for index in range(tiling.tiles):
            room = ctypes.create_string_buffer(tiling.tile_bytes)
            m.lib.scout_image_tile(image, options, index, room, tiling.tile_bytes, ctypes.byref(ctypes.c_uint64()))
            sums.append(checksum(room.raw))
        m.add(f"image.{name}", "image", picture=picture, image_option=image_option, tile_option=tile_option,
              info=[info.width, info.height, info.orientation], format=escape(info.format), grid=grid(tiling), checksums=sums)
        m.lib.scout_image_free(image)
    for width, height, tile_option in ((1, 1, {}), (336, 336, {}), (337, 336, {}), (1920, 1080, {}), (1080, 1920, {"max_tiles": 4}), (65535, 1, {}),
                                       (4000, 3000, {"max_tiles": 256}), (640, 480, {"tile_side": 224, "patch_tokens": 64})):
        tiling = filled(m, "scout_tiling", lambda to: m.lib.scout_tiling_of_size(width, height, tile_options(m, tile_option), to))
        m.add(f"tiling.{len(m.cases)}", "tiling", size=[width, height], tile_option=tile_option, grid=grid(tiling))
    errors(m, escape)
    in_prompts(m, escape)


def errors(m, escape):
    code = m.lib.values
    refused = {
        "no_width": ("pixels", "ARGUMENT", "width is 0, must be at least 1", {"picture": [0, 4, 3, 1]}),
        "channels": ("pixels", "ARGUMENT", "channels is 5, must be 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA)", {"picture": [4, 4, 5, 1]}),
        "too_few": ("pixels", "ARGUMENT", "pixels_size is 47 bytes, 4 x 4 with 3 channels and a stride of 12 need 48",
                    {"picture": [4, 4, 3, 1], "count": 47}),
        "stride": ("pixels", "ARGUMENT", "stride is 11 bytes, a row of 4 x 3 needs 12", {"picture": [4, 4, 3, 1], "stride": 11}),
        "too_wide": ("pixels", "LIMIT", "width is 70000, at most 65535", {"picture": [70000, 1, 1, 1]}),
        "too_large": ("pixels", "LIMIT", "10 x 10 = 100 pixels, at most 99", {"picture": [10, 10, 1, 1], "image_option": {"max_pixels": 99}}),
        "orientation": ("pixels", "ARGUMENT", "orientation is 9, must be 0 to 8", {"picture": [4, 4, 3, 1], "image_option": {"orientation": 9}}),
        "gif": ("bytes", "UNSUPPORTED", "GIF", {"bytes": escape(b"GIF89a" + bytes(20))}),
        "unknown": ("bytes", "UNSUPPORTED", "hello world", {"bytes": escape(b"hello world, no picture")}),
        "empty": ("bytes", "TRUNCATED", "0 bytes", {"bytes": ""}),
        "too_long": ("bytes", "LIMIT", "26 bytes, at most 25 (max_bytes)", {"bytes": escape(b"GIF89a" + bytes(20)), "image_option": {"max_bytes": 25}}),
        "no_file": ("file", "IO", "no/such/picture.png", {"path": "no/such/picture.png"}),
        "no_size": ("tiling", "ARGUMENT", "height is 0, must be at least 1", {"size": [5, 0]}),
        "tile_side": ("tiling", "ARGUMENT", "tile_side is -1, must be 0 to 4096", {"size": [5, 5], "tile_option": {"tile_side": -1}}),
        "max_tiles": ("tiling", "ARGUMENT", "max_tiles is 257, must be 0 to 256", {"size": [5, 5], "tile_option": {"max_tiles": 257}}),
        "index": ("tile", "ARGUMENT", "index is 1, the picture has 1 tiles", {"picture": [4, 4, 3, 1], "index": 1}),
        "closed": ("closed", "STATE", "", {"picture": [4, 4, 3, 1]}),
        "without_vision": ("chat", "UNSUPPORTED", "vision tower", {"picture": [4, 4, 3, 1]}),
    }
    for name, (call, status, names, given) in refused.items():
        m.add(f"error.image.{name}", "error_image", call=call, **given, status=code[f"SCOUT_ERR_{status}"], names=names)


def in_prompts(m, escape):
    for name, picture in (("small", [10, 10, 3, 1]), ("wide", [700, 300, 1, 2])):
        image = image_of(m, picture, {})
        m.add(f"image_tokens.{name}", "image_tokens", picture=picture, tile_option={"patch_tokens": 3},
              ids=m.lib.fill("scout_image_tokens", image, m.model, tile_options(m, {"patch_tokens": 3})))
        m.lib.scout_image_free(image)
    # A model without a tower refuses, and so does the list of it.
    model = m.lib.load(b"scout-tiny", vision=1)
    talks = {"picture_first": [["picture", "40 30 3 1"], ["text", "What is this?"]],
             "between_texts": [["text", "Which is larger, "], ["picture", "16 16 1 2"], ["text", " or "], ["picture", "30 90 4 3"], ["text", "?<|image|>"]]}
    for name, parts in talks.items():
        chat = m.lib.new("scout_chat_new", model)
        try:
            m.lib.scout_chat_begin(chat, m.lib.values["SCOUT_ROLE_USER"])
            for kind, value in parts:
                if kind == "text":
                    m.lib.scout_chat_add_text(chat, value.encode(), len(value))
                else:
                    m.lib.scout_chat_add_image(chat, image_of(m, [int(word) for word in value.split()], {}))
            shown = {"prompt_ids": m.lib.fill("scout_chat_tokens", chat)}
        except library.Failure as failure:
            shown = {"status": failure.status, "names": escape(failure.message.encode())}
        m.add(f"chat_image.{name}", "chat_image", part=[[kind, escape(value.encode())] for kind, value in parts], **shown)
        m.lib.scout_chat_free(chat)
    m.lib.scout_free(model)
