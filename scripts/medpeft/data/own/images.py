"""Which members of an archive are images: told by their names, and where these do not tell, by their first bytes."""

import posixpath
import re
from collections import Counter
from functools import cache

from numpy.lib.format import MAGIC_PREFIX
from PIL import Image

from medpeft.base.errors import UserError
from medpeft.data.archives import Source, is_visible
from medpeft.data.formats.marks import is_dicom
from medpeft.data.formats.pillow import FORMATS
from medpeft.data.own.patterns import idle, matcher

OTHER_SUFFIXES = {".dcm", ".dicom", ".ima", ".npy", ".mpo"}  # DICOM, NumPy, and JPEG as some cameras call it
# What lies beside images and is none; other files of text are known by their content.
BESIDE = {
    *(".csv", ".tsv", ".txt", ".md", ".json", ".xml", ".yaml", ".yml", ".html", ".htm", ".pdf", ".rtf", ".log"),
    *(".doc", ".docx", ".xls", ".xlsx", ".ods", ".odt", ".db", ".ini", ".lnk", ".url", ".py", ".ipynb"),
}
HEAD = 512  # bytes that tell a format
CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")  # bytes that no text has
MASK = (
    r"(?:masks?|seg(?:m|mentation|mented)?s?|annot(?:ation|ated)?s?|labels?|lesions?|bin(?:ary)?"
    r"|ground[ _-]?truths?|gts?|contours?|outlines?|rois?|overlays?)"
)
MASK_NAME = re.compile(rf"(.+?)[ _.-]*{MASK}(?:[ _.-]?\d+)?|{MASK}[ _.-]*(.+)", re.IGNORECASE)
TAIL = re.compile(r"(.+?)[ _.-]+([A-Za-z]\w*)")  # a name, and what another is called beside it
MASK_FOLDER = re.compile(rf"(?:.*[ _.-])?{MASK}(?:[ _.-].*)?", re.IGNORECASE)


def find_own_images(source: Source, include: list[str] | None, exclude: list[str]) -> list[str]:
    """Return the members of `source` that are images and that the study takes; its losses tell what is not one.

    Args:
        source: Of the dataset.
        include: Patterns of the images that are meant; None for all.
        exclude: Patterns of files that are left out, whatever they are.

    Raises:
        UserError: A pattern matches nothing.
    """
    members = [name for name in source.names() if is_visible(name)]
    broken = {name: cause for name, cause in source.broken().items() if is_visible(name)}
    for key, patterns in (("include", include or []), ("exclude", exclude)):
        if none := idle(patterns, [*members, *broken]):
            raise UserError(
                f"{source.where} has no file that matches {none[0]!r} under `{key}` in the study: correct it"
            )
    is_excluded, is_meant = matcher(exclude), matcher(include or ["**"])
    source.losses.add("excluded", *filter(is_excluded, members))
    source.losses.add("unreadable", *(f"{name} ({cause})" for name, cause in broken.items() if not is_excluded(name)))
    source.losses.add("misnamed", *(name for name in source.unclear() if not is_excluded(name)))
    images = []
    for member in members:
        if not is_excluded(member):
            kind = _kind(source, member)
            if kind == "image" and not is_meant(member):
                kind = "excluded"
            if kind == "image":
                images.append(member)
            else:
                source.losses.add(kind, member)
    return images


def _kind(source: Source, member: str) -> str:
    """Return `image`, or for which reason a member is none."""
    name = posixpath.basename(member)
    suffix = posixpath.splitext(name)[1].lower()
    if suffix in BESIDE or name.upper() == "DICOMDIR":  # an index of DICOM files, in their format
        return "others"
    if suffix in image_suffixes():
        return "image"
    try:
        return _kind_of_content(source.head(member, HEAD))
    except UserError:
        return "unreadable"


def _kind_of_content(head: bytes) -> str:
    if not CONTROL.search(head):
        return "others"
    return "image" if is_dicom(head) or head.startswith(MAGIC_PREFIX) or _is_picture(head) else "unknown"


def _is_picture(head: bytes) -> bool:
    Image.init()
    tests = (Image.OPEN[name][1] for name in FORMATS)
    padded = head.ljust(HEAD, b"\0")  # some tests of Pillow fail at less
    return any(test(padded) is True for test in tests if test)


@cache
def image_suffixes() -> frozenset[str]:
    """Return the endings of the names of images, in small letters."""
    known = Image.registered_extensions().items()
    return frozenset(OTHER_SUFFIXES | {suffix for suffix, name in known if name in FORMATS})


def masks_among(images: list[str], classes: list[str]) -> list[str]:
    """Return those of `images` that are named after another, as masks are.

    Either name or folder say that it is a mask, and what is left of the name is another image's; or two images and more
    have one ending, as in `x.png` and `x_m.png`, by which their names differ from another's. Folders that are named
    after one of `classes` say nothing of masks.
    """
    stems = {image: posixpath.splitext(posixpath.basename(image))[0] for image in images}
    in_folder = {image for image in images if _in_mask_folder(image, classes)}
    plain = {stem for image, stem in stems.items() if image not in in_folder}
    parted = [(image, found) for image, stem in stems.items() if (found := TAIL.fullmatch(stem)) and found[1] in plain]
    common = Counter(found[2] for _, found in parted)
    named = {image for image, found in parted if common[found[2]] > 1}
    for image, stem in stems.items():
        match = MASK_NAME.fullmatch(stem)
        if (image in in_folder and stem in plain) or (match and (match[1] or match[2]) in plain - {stem}):
            named.add(image)
    return [image for image in images if image in named]


def _in_mask_folder(image: str, classes: list[str]) -> bool:
    folders = image.split("/")[:-1]
    return any(MASK_FOLDER.fullmatch(folder) for folder in folders if folder not in classes)
