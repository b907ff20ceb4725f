"""What is compressed is unpacked within bounds."""

import gzip
import tracemalloc
import zlib

import pytest

from medpeft.base.unpacking import inflates_beyond, ungzipped


def deflated(content: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", bytes(1000)])
def test_what_fits_is_unpacked(content):
    assert ungzipped(gzip.compress(content), 1000) == content
    assert not inflates_beyond(deflated(content), 1000)


@pytest.mark.parametrize("size", [1001, 100_000_000])
def test_what_grows_beyond_the_bound_is_refused_in_little_memory(size):
    packed, raw = gzip.compress(bytes(size)), deflated(bytes(size))
    tracemalloc.start()
    with pytest.raises(ValueError, match="more than 1,000 bytes"):
        ungzipped(packed, 1000)
    assert inflates_beyond(raw, 1000)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_a_gzip_file_of_several_parts_is_bounded_as_a_whole():
    with pytest.raises(ValueError, match="more than 1,000 bytes"):
        ungzipped(gzip.compress(bytes(600)) * 2, 1000)


@pytest.mark.parametrize("damaged", [gzip.compress(bytes(range(200)))[:60], b"no gzip"], ids=["cut", "none"])
def test_a_damaged_file_is_an_error(damaged):
    with pytest.raises((OSError, EOFError, zlib.error)):
        ungzipped(damaged, 1000)
