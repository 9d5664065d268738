"""The process that decodes one file for ``datasets.video_file``; it alone loads decord."""

import json
import os
import re
from typing import Any

import numpy as np

from datasets.errors import one_line

SAMPLE_RATE = 16_000  # of sound, in Hz
LATE_SECONDS = 1e-3  # timestamps are float32; a picture as late as this is on time

# What the process prints beside its output, a line each; other lines are FFmpeg's.
NOTE, ERROR = "NOTE ", "ERROR "
FFMPEG_LINE = re.compile(r"\[(\w+)[^]]* @ 0x[0-9a-f]+\] (.+)")


def send(arguments: list[str]) -> None:
    """What the process does: ``frames PATH RATE`` or ``audio PATH RATE``, a line of JSON and then the values."""
    import decord

    what, path, rate = arguments
    try:
        if what == "frames":
            _send_frames(path, float(rate))
        else:
            _send_audio(path)
    except UnicodeEncodeError:
        _fail("its name is not UTF-8, and decord takes no other; rename the file")
    except (decord.DECORDError, RuntimeError) as error:
        if "cannot find video stream" in str(error):
            _fail("no video stream in it")
        _fail(f"not a video that can be read{because(_said_so_far())}")
    except BrokenPipeError:  # nobody wants more
        os._exit(0)


def _send_frames(path: str, rate: float) -> None:
    import decord

    reader = decord.VideoReader(path, num_threads=2)
    count = len(reader)
    if not count:
        _fail("a video stream without pictures")
    starts, end = _times(reader, count)
    times = np.arange(max(1, np.ceil((end - LATE_SECONDS) * rate))) / rate  # (n,)
    wanted = np.maximum(0, np.searchsorted(starts, times + LATE_SECONDS, "right") - 1)  # (n,) numbers of pictures
    # Opening a file decodes its beginning to see what it is, and of a short one all: then no place can be told.
    noted = os.fstat(2).st_size > 0
    if noted:
        _say(NOTE, "damaged: pictures may be wrong")
    position, frame = 0, np.empty(0)
    for second, number in zip(times, wanted, strict=True):
        if number >= position:  # otherwise the same picture again
            following = _next(reader, int(number) - position)
            if following is None and not position:
                _fail(f"no picture can be decoded{because(_said_so_far())}")
            if following is None:
                _say(NOTE, f"broken: its pictures end before second {second:g} of {end:.1f}")
                break
            frame = following
            if not position:
                height, width = frame.shape[:2]
                _put(json.dumps({"count": len(times), "height": height, "width": width}).encode() + b"\n")
            position = int(number) + 1
        if not noted and os.fstat(2).st_size:
            noted = True
            _say(NOTE, f"damaged near second {second:g} of {end:.1f}: pictures may be wrong from there on")
        _put(frame.data)
    announced = _announced(path)
    if announced - count > reader.get_avg_fps():  # by more than a second: headers are not exact
        _say(NOTE, f"cut off: {count:,} pictures of {announced:,} that its header announces, {end:.1f} s")


def _send_audio(path: str) -> None:
    import decord

    try:
        samples = decord.AudioReader(path, sample_rate=SAMPLE_RATE, mono=True)[:].asnumpy()[0]  # (samples,)
        if decord.AudioReader(path, sample_rate=SAMPLE_RATE, mono=False).shape[0] == 2:
            # Its sum of two channels keeps the power, (l + r) / sqrt 2; a mono file's sound would be 3 dB lower.
            samples = samples / np.float32(np.sqrt(2))  # (samples,)
    except decord.DECORDError as error:
        if "find audio stream" not in str(error):
            raise
        _put(b'{"samples": null}\n')
        return
    if os.fstat(2).st_size:
        _say(NOTE, f"its sound is damaged: {len(samples) / SAMPLE_RATE:.1f} s of it were read")
    _put(json.dumps({"samples": len(samples)}).encode() + b"\n")
    _put(samples.astype(np.float32).data)


def _next(reader: Any, skipped: int) -> np.ndarray | None:
    """The picture after ``skipped`` more, (h, w, 3) uint8; None where it cannot be decoded."""
    import decord

    try:
        # Step by step, not by decord's index: that seeks, and where a file's index is wrong it gives others.
        if skipped:
            reader.skip_frames(skipped)
        frame = reader.next().asnumpy()  # (h, w, 3)
    except (decord.DECORDError, StopIteration):
        return None
    return frame if frame.ndim == 3 else None


def _times(reader: Any, count: int) -> tuple[np.ndarray, float]:
    """When each picture is shown, (count,), and when the last one ends, in seconds from the first."""
    stamps = np.asarray(reader.get_frame_timestamp(range(count)), np.float64)  # (count, 2)
    starts, end = stamps[:, 0] - stamps[0, 0], stamps[-1, 1] - stamps[0, 0]
    if np.isfinite(stamps).all() and (np.diff(starts) >= 0).all() and end > starts[-1]:
        return starts, float(end)
    rate = reader.get_avg_fps()  # a file without times
    if not 0 < rate < float("inf"):
        _fail("it tells neither the times of its pictures nor their rate; convert it to MP4")
    return np.arange(count) / rate, count / rate


def _announced(path: str) -> int:
    """The number of pictures in the file's header, which decord does not tell; 0 if there is none."""
    import cv2

    return max(0, int(cv2.VideoCapture(path).get(cv2.CAP_PROP_FRAME_COUNT)))


def because(reasons: list[str]) -> str:
    """The first of ``reasons`` in brackets, if there is one."""
    return f" ({reasons[0]})" if reasons else ""


def _put(content: bytes | memoryview) -> None:
    left = memoryview(content).cast("B")
    while left:
        left = left[os.write(1, left) :]


def _said_so_far() -> list[str]:
    said = os.pread(2, 1 << 16, 0).decode(errors="replace")
    return [one_line(ValueError(match[2])) for match in FFMPEG_LINE.finditer(said)][:1]


def _say(kind: str, text: str) -> None:
    os.write(2, f"\n{kind}{text}\n".encode(errors="replace"))


def _fail(text: str) -> None:
    _say(ERROR, text)
    os._exit(1)  # decord's own threads may be stuck
