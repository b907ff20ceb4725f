"""Decoded images on disk while a dataset is prepared, so that a killed preparation goes on where it was."""

import hashlib
import io
import logging
import math
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from medpeft.base.errors import UserError
from medpeft.base.files import replacing


class Unfinished:
    """Decoded images on disk, beside where they will be, in two files that grow together: a NumPy array and a ledger.

    Their names carry a hash of what they are made from, so that work from another archive or size is not continued.
    Line i of the ledger has the SHA-256 of image file i, and a checksum of that, of its place and of its stored pixels.
    What is there is checked before it is continued, and once more before it is renamed.
    """

    LINE = 64 + 1 + 8 + 1  # bytes: SHA-256, a space, checksum, line break

    def __init__(self, images: Path, made_from: list[str], places: list[str], size: int):
        shape = (len(places), size, size, 3)
        stream = io.BytesIO()
        np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
        self._header, self._bytes, self._shape = stream.getvalue(), math.prod(shape[1:]), shape[1:]
        self.places = places
        key = hashlib.sha256("\n".join([*made_from, str(shape)]).encode()).hexdigest()[:16]
        self._array, self._ledger = (images.with_name(f".{images.name}.{key}.{kind}") for kind in ("npy", "ledger"))
        images.parent.mkdir(parents=True, exist_ok=True)
        for other in set(images.parent.glob(f".{images.name}.*")) - {self._array, self._ledger}:
            other.unlink()
        self._continue()

    @property
    def rest(self) -> list[str]:
        """The places of the images that are not there yet."""
        return self.places[self._done :]

    @contextmanager
    def opened(self) -> Iterator[Callable[[np.ndarray, str], None]]:
        """Yield a function that appends the next image and the SHA-256 of its file."""
        with open(self._array, "ab") as array, open(self._ledger, "ab") as ledger:

            def add(image: np.ndarray, digest: str) -> None:
                pixels = image.tobytes()
                array.write(pixels)
                ledger.write(_line(self.places[self._done], digest, pixels))
                self._done += 1

            yield add

    def black(self) -> np.ndarray:
        """Return an image that takes the place of one that cannot be read."""
        return np.zeros(self._shape, np.uint8)

    def check(self) -> None:
        """Refuse an array that is not the images of its places, in their order, from the first to the last byte."""
        size = len(self._header) + len(self.places) * self._bytes
        if self._sound() < len(self.places) or self._array.stat().st_size != size:
            raise UserError(
                f"{self._array} has images that do not belong to their places, or not as many as there are places: "
                "another process or a faulty disk changed it; see to it that nothing else writes there, and run again"
            )

    def digests(self) -> list[str]:
        """Return the SHA-256 of each image file."""
        return [line.split()[0] for line in self._ledger.read_text(encoding="ascii").splitlines()]

    def finish(self, images: Path) -> None:
        self._array.replace(images)
        self.delete()

    def delete(self) -> None:
        for path in (self._array, self._ledger):
            path.unlink(missing_ok=True)

    def _continue(self) -> None:
        """Keep the images that are whole and sound, from the first on, and note how many there are."""
        if not self._array.exists():
            self._array.write_bytes(self._header)
        self._ledger.touch()
        self._done = self._sound()
        stored = (self._array.stat().st_size - len(self._header)) // self._bytes
        if self._done < min(stored, self._ledger.stat().st_size // self.LINE):
            logging.warning("image %d and those after it are decoded again: they are not as stored", self._done)
        if not self._done:
            self._array.write_bytes(self._header)
        os.truncate(self._array, len(self._header) + self._done * self._bytes)
        os.truncate(self._ledger, self._done * self.LINE)
        if self._done:
            logging.info("%d images were decoded before: going on from there", self._done)

    def _sound(self) -> int:
        """Return how many images, from the first on, are stored as the ledger says."""
        with open(self._array, "rb") as array, open(self._ledger, "rb") as ledger:
            if array.read(len(self._header)) != self._header:
                return 0
            for number, place in enumerate(self.places):
                pixels, line = array.read(self._bytes), ledger.read(self.LINE)
                if len(pixels) < self._bytes or line != _line(place, line[:64].decode("ascii", "replace"), pixels):
                    return number
        return len(self.places)


def _line(place: str, digest: str, pixels: bytes) -> bytes:
    """Return the line of the ledger of an image: it differs for other pixels and for those of another place."""
    return f"{digest} {zlib.crc32(pixels, zlib.crc32(f'{place} {digest}'.encode())):08x}\n".encode()


def keep_rows(images: Path, rows: np.ndarray) -> None:
    """Keep only these `rows` of the array in the file `images`."""
    every = np.load(images, mmap_mode="r")
    with replacing(images) as temporary:
        kept = np.lib.format.open_memmap(temporary, "w+", every.dtype, (len(rows), *every.shape[1:]), version=(1, 0))
        for row, source in enumerate(rows):
            kept[row] = every[source]
        kept.flush()
