"""Compressed content, unpacked within bounds: a few kilobytes can be made to grow to gigabytes."""

import gzip
import io
import zlib

PIECE = 2**20  # bytes that are unpacked at once where only their number is asked for


def ungzipped(content: bytes, most: int) -> bytes:
    """Return what a gzip file holds.

    Raises:
        ValueError: It holds more than `most` bytes.
        OSError, EOFError, zlib.error: It is damaged.
    """
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
        unpacked = stream.read(most + 1)
    if len(unpacked) > most:
        raise ValueError(f"unpacked it has more than {most:,} bytes")
    return unpacked


def inflates_beyond(deflated: bytes, most: int) -> bool:
    """Tell whether a raw deflate stream grows beyond `most` bytes, which are never in memory at once.

    Raises:
        zlib.error: It is damaged.
    """
    unpacker, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
    while deflated and not unpacker.eof and size <= most:
        size += len(unpacker.decompress(deflated, PIECE))
        deflated = unpacker.unconsumed_tail
    return size > most
