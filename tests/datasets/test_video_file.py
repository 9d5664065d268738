import wave
from pathlib import Path

import cv2
import numpy as np
import pytest

from datasets import video_file
from datasets.errors import DataError

VIDEOS = Path(__file__).parents[3] / "shared" / "data" / "videos"


def write_clip(path, width, height, frames, codec):
    """Picture i, at 10 a second, has grey level 2 i."""
    api = cv2.CAP_OPENCV_MJPEG if codec == "MJPG" else cv2.CAP_FFMPEG  # the former takes odd sizes
    writer = cv2.VideoWriter(str(path), api, cv2.VideoWriter_fourcc(*codec), 10, (width, height))
    rng = np.random.default_rng(0)
    for number in range(frames):
        grey = np.full((height, width, 3), 2 * number, np.uint8)
        writer.write(grey + rng.integers(0, 2, grey.shape, dtype=np.uint8))  # so that no frame is nearly empty
    writer.release()
    return path


def real(name):
    path = VIDEOS / name
    if not path.is_file():
        pytest.skip(f"no {path}")
    return path


def levels(frames):
    return [round(float(picture.mean()) / 2) for block in frames for picture in block]


def test_one_picture_a_second_in_blocks_and_at_odd_size(tmp_path, monkeypatch):
    monkeypatch.setattr(video_file, "BLOCK_FRAMES", 2)
    frames = video_file.frames_of(write_clip(tmp_path / "odd.avi", 173, 97, 25, "MJPG"))
    blocks = list(frames)
    assert [block.shape for block in blocks] == [(2, 97, 173, 3), (1, 97, 173, 3)]
    assert blocks[0].dtype == np.uint8
    assert levels(blocks) == [0, 10, 20]
    assert frames.count == 3
    assert frames.notes == []


def test_any_number_of_pictures_a_second(tmp_path):
    clip = write_clip(tmp_path / "clip.avi", 32, 32, 10, "MJPG")
    assert levels(video_file.frames_of(clip, 4)) == [0, 2, 5, 7]
    assert levels(video_file.frames_of(clip, 20))[:6] == [0, 0, 1, 1, 2, 2]  # more than there are: shown twice


def test_a_video_of_one_second_has_one_picture_and_no_sound(tmp_path):
    clip = write_clip(tmp_path / "one.mp4", 64, 48, 10, "mp4v")
    assert levels(video_file.frames_of(clip)) == [0]
    assert video_file.audio_of(clip) is None


def test_a_video_cut_in_the_middle_gives_what_is_there_and_says_so(tmp_path):
    content = write_clip(tmp_path / "whole.avi", 96, 64, 100, "MJPG").read_bytes()
    cut = tmp_path / "cut.avi"
    cut.write_bytes(content[: len(content) // 2])
    for _ in range(5):
        try:
            frames = video_file.frames_of(cut)
            found = levels(frames)
            break
        except DataError as error:  # FFmpeg's other thread is at the break before this one has a picture: seen once
            if "no picture can be decoded" not in str(error):
                raise
    assert 1 <= len(found) < 10
    assert found == [10 * second for second in range(len(found))]
    assert any("broken" in note or "cut off" in note for note in frames.notes)
    assert all("\n" not in note for note in frames.notes)


def test_damage_in_the_middle_ends_the_pictures_with_a_note(tmp_path):
    content = bytearray(real("carphone_pristine.mp4").read_bytes())
    content[len(content) // 2 : len(content) * 5 // 6] = bytes(len(content) * 5 // 6 - len(content) // 2)
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(content)
    frames = video_file.frames_of(damaged)
    assert 1 <= len(levels(frames)) < 5
    assert any("broken" in note or "damaged" in note for note in frames.notes)
    assert "0x" not in " ".join(frames.notes)


def test_a_file_without_an_index_is_refused_in_one_line(tmp_path):
    content = write_clip(tmp_path / "whole.mp4", 64, 48, 30, "mp4v").read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"cut\.mp4: not a video that can be read \(moov atom not found\)$"):
        list(video_file.frames_of(cut))


def tone(path, rate, *amplitudes):
    times = np.arange(2 * rate) / rate
    channels = [amplitude * np.sin(2 * np.pi * 440 * times) for amplitude in amplitudes]
    with wave.open(str(path), "wb") as file:
        file.setparams((len(channels), 2, rate, 0, "NONE", ""))
        file.writeframes((np.stack(channels, 1) * 32767).astype("<i2").tobytes())
    return path


@pytest.mark.parametrize(("rate", "amplitudes"), [(44100, (0.5, 0.25)), (16000, (0.375,))])
def test_sound_is_the_mean_of_its_channels_at_16_khz(tmp_path, rate, amplitudes):
    notes = []
    samples = video_file.audio_of(tone(tmp_path / "tone.wav", rate, *amplitudes), notes)
    assert samples.dtype == np.float32
    assert len(samples) == 32000
    spectrum = np.abs(np.fft.rfft(samples[8000:24000])) / 8000  # one second
    assert spectrum.argmax() == 440
    assert spectrum[440] == pytest.approx(0.375, rel=1e-3)
    assert notes == []


def test_sound_alone_is_no_video(tmp_path):
    with pytest.raises(DataError, match=r"tone\.wav: no video stream in it"):
        list(video_file.frames_of(tone(tmp_path / "tone.wav", 16000, 0.5)))


def test_what_is_not_there(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        list(video_file.frames_of(tmp_path / "none.mp4"))
    with pytest.raises(DataError, match="a folder, not a video"):
        video_file.audio_of(tmp_path)
    with pytest.raises(DataError, match="not a number above 0"):
        video_file.frames_of(tmp_path, 0)


def test_a_real_video_with_sound():
    path = real("bigbuckbunny.mp4")
    frames = video_file.frames_of(path)
    assert [block.shape for block in frames] == [(6, 720, 1280, 3)]
    assert frames.notes == []
    samples = video_file.audio_of(path)
    assert 5.2 < len(samples) / 16000 < 5.4
    assert 0.001 < np.abs(samples).max() <= 1.5


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("import os; os.kill(os.getpid(), 11)", r"the decoder crashed \(signal 11\)"),
        ("import time; time.sleep(60)", "the decoder stood still"),
    ],
)
def test_a_decoder_that_crashes_or_hangs_ends_nothing_else(tmp_path, monkeypatch, program, reason):
    monkeypatch.setattr(video_file, "_PROGRAM", program)
    monkeypatch.setattr(video_file, "STANDSTILL_SECONDS", 1.0)
    (tmp_path / "clip.mp4").write_bytes(b"a video")
    with pytest.raises(DataError, match=reason):
        list(video_file.frames_of(tmp_path / "clip.mp4"))
