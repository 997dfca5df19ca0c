"""The reader of a folder of WAV files: kinds of headers and numbers, what is a class, what is left alone."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hrsnn._checks import FileError, InputError
from hrsnn.data.own import wav_folder
from hrsnn.data.readers.wav import read_wav, wav_files
from hrsnn.encode import AudioCode

CODE = AudioCode(n_channels=4, sample_rate_hz=8000.0, f_max_hz=3500.0)
SOUND = np.round(20000 * np.sin(2 * np.pi * 440 * np.arange(800) / 8000)).astype("<i2")


def chunk(name: bytes, content: bytes, order: str = "<") -> bytes:
    return name + struct.pack(order + "I", len(content)) + content + b"\0" * (len(content) % 2)


def wav(
    data: bytes = SOUND.tobytes(),
    *,
    tag: int = 1,
    n_channels: int = 1,
    n_bits: int = 16,
    rate: int = 8000,
    size: int | None = None,
    riff: int | None = None,
    before: bytes = b"",
    after: bytes = b"",
    order: str = "<",
    extensible: bool = False,
) -> bytes:
    """A WAV file, with a header as wrong as asked for."""
    frame = n_channels * -(-n_bits // 8)
    fmt = struct.pack(order + "HHIIHH", 0xFFFE if extensible else tag, n_channels, rate, rate * frame, frame, n_bits)
    if extensible:
        fmt += struct.pack(order + "HHIH", 22, n_bits, 0, tag) + bytes(14)
    head = struct.pack(order + "I", len(data) if size is None else size)
    body = b"WAVE" + chunk(b"fmt ", fmt, order) + before + b"data" + head + data + after
    whole = struct.pack(order + "I", len(body) if riff is None else riff)
    return (b"RIFF" if order == "<" else b"RIFX") + whole + body


def read(tmp_path: Path, content: bytes) -> NDArray[np.float64]:
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    return read_wav(path)[:]


ODD = [
    {},
    {"after": b"\0"},
    {"after": b"\r\n\0"},
    {"after": chunk(b"LIST", b"INFOx")},
    {"before": chunk(b"bext", b"abc")},
    {"before": chunk(b"JUNK", bytes(28))},
    {"size": 0xFFFFFFFF, "riff": 0xFFFFFFFF},
    {"size": 0x7FFFF000, "riff": 0x7FFFF024},
    {"size": 0, "riff": 0},
    {"size": 0, "riff": 36},
    {"size": 0, "riff": 0xFFFFFFFF},
    {"riff": 5},
    {"extensible": True},
]


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_a_complete_sound_is_read_whatever_its_header_says(tmp_path: Path, odd: dict[str, int]) -> None:
    np.testing.assert_array_equal(read(tmp_path, wav(**odd)), SOUND / 2.0**15)  # type: ignore[arg-type]


def test_all_kinds_of_numbers_give_one_sound(tmp_path: Path) -> None:
    x = SOUND / 2.0**15
    for order in "<>":
        as_24 = (SOUND.astype(np.int32) << 16).astype(order + "i4").view(np.uint8).reshape(-1, 4)
        kinds: list[tuple[int, int, bytes]] = [
            (1, 16, SOUND.astype(order + "i2").tobytes()),
            (1, 24, as_24[:, slice(1, 4) if order == "<" else slice(0, 3)].tobytes()),
            (1, 32, (SOUND.astype(np.int32) << 16).astype(order + "i4").tobytes()),
            (3, 32, x.astype(order + "f4").tobytes()),
            (3, 64, x.astype(order + "f8").tobytes()),
        ]
        for tag, n_bits, data in kinds:
            for extensible in (False, True):
                content = wav(data, tag=tag, n_bits=n_bits, order=order, extensible=extensible)
                np.testing.assert_array_equal(read(tmp_path, content), x, err_msg=f"{order} {tag} {n_bits}")
    eight = np.round(x * 127 + 128).astype(np.uint8)
    np.testing.assert_array_equal(read(tmp_path, wav(eight.tobytes(), n_bits=8)), (eight - 128.0) / 128)


def test_pieces_are_pieces_of_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav(np.stack([SOUND, -SOUND // 2], axis=1).tobytes(), n_channels=2))
    sound = read_wav(path)
    assert (len(sound), sound.rate_hz) == (800, 8000.0)
    np.testing.assert_array_equal(np.concatenate([sound[:7], sound[7:790], sound[790:2000]]), sound[:])
    np.testing.assert_array_equal(sound[3:5], (SOUND / 2.0**15 + (-SOUND // 2) / 2.0**15)[3:5] / 2)


def test_a_file_of_more_than_four_gigabytes_tells_its_size_elsewhere(tmp_path: Path) -> None:
    sizes = chunk(b"ds64", struct.pack("<QQQI", 0, SOUND.nbytes, SOUND.size, 0))
    content = b"RF64" + wav(size=0xFFFFFFFF, riff=0xFFFFFFFF, after=b"xxxx")[4:]
    content = content[:12] + sizes + content[12:]
    np.testing.assert_array_equal(read(tmp_path, content), SOUND / 2.0**15)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "does not begin with RIFF"),
        (b"ID3\x03" + bytes(50), "does not begin with RIFF"),
        (wav()[:20], "it ends within its header|cut off"),
        (wav()[:-700], "it is cut off: its header tells 1600 bytes of sound, there are 900"),
        (wav(before=b"LIST\xff\xff\xff\x0f"), "cut off, or damaged: its chunk"),
        (wav(tag=0x55), "compressed as MP3; convert it to PCM"),
        (wav(tag=7, n_bits=8), "compressed as µ-law"),
        (wav(tag=0x1234), "format 0x1234 is not known"),
        (wav(n_channels=0), "tells no channels"),
        (wav(rate=0), "sampling rate of 0"),
        (wav(n_bits=64, tag=3, data=np.array([0.0, np.inf]).tobytes()), "sample 1 is not a finite number"),
        (b"RIFF\0\0\0\0WAVE" + chunk(b"data", SOUND.tobytes()), "no chunk that tells its format"),
    ],
)
def test_a_damaged_file_is_told(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(FileError, match=rf"a\.wav: .*({message})"):
        read(tmp_path, content)


def test_a_file_without_a_sample_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no samples"):
        read(tmp_path, wav(b""))


# -- folders ---------------------------------------------------------------------------------------------------------


def put(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(wav())


def test_classes_are_the_first_level(tmp_path: Path) -> None:
    for name in ("yes/monday/0", "yes/tuesday/0", "no/tuesday/a/b/0", "no/monday/0"):
        put(tmp_path / f"{name}.wav")
    found = wav_folder(tmp_path, CODE)
    assert (found.class_names, found.labels.tolist()) == (("no", "yes"), [0, 0, 1, 1])


def test_hidden_names_are_nothing(tmp_path: Path) -> None:
    for name in ("yes/0", "yes/1", "no/0"):
        put(tmp_path / f"{name}.wav")
    whole = wav_folder(tmp_path, CODE)
    put(tmp_path / "yes" / ".ipynb_checkpoints" / "0-checkpoint.wav")
    put(tmp_path / ".Trash-1000" / "3.wav")
    (tmp_path / "yes" / "._0.wav").write_bytes(b"\0\5\x16\7" + bytes(78))
    (tmp_path / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    put(tmp_path / "__MACOSX" / "yes" / "._0.wav")
    (tmp_path / "notes").mkdir()
    assert wav_folder(tmp_path, CODE) == whole
    assert whole.class_names == ("no", "yes")
    put(tmp_path / ".hidden" / "a" / "0.wav")  # the folder itself may be hidden
    assert wav_folder(tmp_path / ".hidden", CODE).class_names == ("a",)


def test_links_are_followed_and_never_in_a_circle(tmp_path: Path) -> None:
    put(tmp_path / "elsewhere" / "x.wav")
    put(tmp_path / "r" / "yes" / "0.wav")
    (tmp_path / "r" / "no").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "r" / "yes" / "1.wav").symlink_to(tmp_path / "elsewhere" / "x.wav")
    (tmp_path / "r" / "yes" / "again").symlink_to("..")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "r" / "yes")
    names = [path.relative_to(tmp_path / "r").as_posix() for path in wav_files(tmp_path / "r")]
    assert names == ["no/back/0.wav", "no/back/1.wav", "no/x.wav", "yes/0.wav", "yes/1.wav"]
    (tmp_path / "r" / "yes" / "2.wav").symlink_to("nowhere.wav")
    with pytest.raises(FileError, match=r"2\.wav: a link to a file that is not there"):
        wav_files(tmp_path / "r")


def test_a_folder_in_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    put(tmp_path / "r" / "a_0.WAV")
    assert wav_folder("~/r", CODE).n_samples == 1
    for missing in ("~/none", "~/r/a_0.WAV"):
        with pytest.raises(FileError, match="cannot be read as a folder"):
            wav_folder(missing, CODE)


def test_the_spikes_of_a_file_are_the_same_whatever_lies_beside_it(tmp_path: Path) -> None:
    put(tmp_path / "a" / "0.wav")
    alone = wav_folder(tmp_path, CODE)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "long.wav").write_bytes(wav(np.tile(SOUND, 9).tobytes()))
    both = wav_folder(tmp_path, CODE)
    assert both.spikes.n_steps == 9 * alone.spikes.n_steps
    first = both.spikes.select([0])
    assert first.step.tobytes() + first.unit.tobytes() == alone.spikes.step.tobytes() + alone.spikes.unit.tobytes()
