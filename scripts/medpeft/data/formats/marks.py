"""By which bytes a file tells what it is, whatever it is called."""

DICOM_MARK = slice(128, 132)  # behind what DICOM calls its preamble
# How DICOM files without a preamble begin: with an element of group 2 or 8 whose number is below 256.
BARE_DICOM = (b"\x02\x00", b"\x08\x00")
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # and BigTIFF


def is_dicom(content: bytes) -> bool:
    """Tell whether a file is DICOM, with or without a preamble, from its first 132 bytes or more."""
    return content[DICOM_MARK] == b"DICM" or (content[:2] in BARE_DICOM and content[3:4] == b"\0")


def is_tiff(content: bytes) -> bool:
    """Tell whether a file is a TIFF, from its first 4 bytes or more."""
    return content.startswith(TIFF)
