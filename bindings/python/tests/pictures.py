"""Pictures made of numbers, and the behaviours of pictures (bindings/conformance)."""
import scout
from suite import raises, same, unescape


def samples(count, seed):
    """The high bytes of a linear congruential generator."""
    made = bytearray()
    for _ in range(count):
        seed = (seed * 1664525 + 1013904223) & 0xFFFFFFFF
        made.append(seed >> 24)
    return bytes(made)


def picture(numbers, count=None, **options):
    """Of width, height, channels and seed."""
    width, height, channels, seed = numbers
    return scout.Image.from_pixels(samples(width * height * channels, seed)[:count], width, height, channels, **options)


def checksum(data):
    value = 2166136261
    for byte in data:
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return value & 0x7FFFFFFF


def grid(tiling):
    return [tiling.rows, tiling.columns, tiling.tiles, tiling.drawn_width, tiling.drawn_height, tiling.tokens]


class Kinds:
    """What conformance.Runner shows of pictures."""

    def image(self, case):
        with picture(case["picture"], **case["image_option"]) as image:
            same("info", case["info"], [image.info.width, image.info.height, image.info.orientation])
            same("format", case["format"], image.info.format)
            same("size", tuple(case["info"][:2]), image.size)
            tiling = image.tiling(**case["tile_option"])
            same("grid", case["grid"], grid(tiling))
            tiles = [image.tile(index, **case["tile_option"]) for index in range(tiling.tiles)]
        for tile in tiles:
            same("shape", (tiling.tile_side, tiling.tile_side, 3), tuple(tile.shape))
        same("checksums", case["checksums"], [checksum(tile.tobytes()) for tile in tiles])

    def tiling(self, case):
        same("grid", case["grid"], grid(scout.tiling_of_size(*case["size"], **case["tile_option"])))

    def image_tokens(self, case):
        with picture(case["picture"]) as image:
            same("ids", case["ids"], image.tokens(self.model, **case["tile_option"]))

    def chat_image(self, case):
        parts = [unescape(value) if kind == "text" else picture([int(word) for word in value.split()]) for kind, value in case["part"]]
        with scout.load("scout-tiny", vision=True) as model, model.chat() as chat:
            if "status" in case:
                raises(case["status"], unescape(case["names"]).decode(), lambda: chat.user(*parts))
                return
            chat.user(*parts)
            for part in parts:
                if isinstance(part, scout.Image):
                    part.close()  # the chat keeps what it needs
            same("prompt_ids", case["prompt_ids"], chat.tokens)

    def error_image(self, case):
        call = getattr(self, "image_" + case["call"])
        raises(case["status"], unescape(case["names"]).decode(), lambda: call(case))

    def image_pixels(self, case):
        return picture(case["picture"], case.get("count"), stride=case.get("stride", 0), **case.get("image_option", {}))

    def image_bytes(self, case):
        return scout.Image.from_bytes(unescape(case["bytes"]), **case.get("image_option", {}))

    def image_file(self, case):
        return scout.Image.from_file(case["path"])

    def image_tiling(self, case):
        return scout.tiling_of_size(*case["size"], **case.get("tile_option", {}))

    def image_tile(self, case):
        return picture(case["picture"]).tile(case["index"])

    def image_closed(self, case):
        image = picture(case["picture"])
        image.close()
        return image.tiling()

    def image_chat(self, case):
        return self.model.chat().user(picture(case["picture"]))
