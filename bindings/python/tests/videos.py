"""The behaviours of clips (bindings/conformance)."""
import scout
from pictures import checksum
from suite import NotApplicable, near, raises, same, unescape


def opened(case):
    """The case's clip. Nothing can be shown of it where the library has no plug-in for video."""
    try:
        return scout.Video.from_bytes(unescape(case["clip"]), **case.get("video_option", {}))
    except scout.UnsupportedError as error:
        if "plug-in" in str(error):
            raise NotApplicable(str(error)) from None
        raise


class Kinds:
    """What conformance.Runner shows of clips."""

    def video(self, case):
        with opened(case) as video:
            info = video.info
            same("info", case["info"], [info.width, info.height, info.orientation, info.duration_us, info.frames])
            near("frame_rate", [case["frame_rate"]], [info.frame_rate], 1e-6)
            same("container", case["container"], info.container)
            same("codec", case["codec"], info.codec)
            frames = list(video)
            same("the end", [None, []], [video.next(), list(video)])
        same("times", case["times"], [frame.time_us for frame in frames])
        same("format", {"video"}, {image.info.format for image, _, _ in frames})
        same("checksums", case["checksums"], [checksum(image.tile(0, **case["tile_option"]).tobytes()) for image, _, _ in frames])

    def error_video(self, case):
        call = getattr(self, "video_" + case["call"])
        raises(case["status"], unescape(case["names"]).decode(), lambda: call(case))

    def video_bytes(self, case):
        return opened(case)

    def video_file(self, case):
        return scout.Video.from_file(case["path"])

    def video_next(self, case):
        return list(opened(case))

    def video_cancelled(self, case):
        with opened(case) as video:
            video.cancel()
            return video.next()

    def video_closed(self, case):
        video = opened(case)
        video.close()
        return video.next()

    def video_chat(self, case):
        with opened(case) as video:
            return self.model.chat().user(video, "What happens?")

    def video_chat_frame(self, case):
        with opened(case) as video:
            return self.model.chat().user(video.next(), "What is this?")
