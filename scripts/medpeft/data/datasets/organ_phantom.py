"""Simulated ultrasound of six organs, made without any download; see `medpeft.data.simulators.organs`."""

from medpeft.data.dataset import Archive, Dataset
from medpeft.data.simulators.contents import index
from medpeft.data.simulators.organs import IMAGES_PER_ORGAN, ORGANS, generate

DATASET = Dataset(
    title="Simulated ultrasound of six organs",
    archives=(Archive(name="organ_phantom.zip", generate=generate),),
    index=index,
    counts=dict.fromkeys(ORGANS, IMAGES_PER_ORGAN),
    licence="MIT, as this software",
    access="none needed: generated on this machine",
    citation="Descriptors of masses after Stavros et al. 1995, Radiology 196:123-134",
    caveats=(
        "Simulated images: they are made to pretrain a small text-to-image model, and show no anatomy in detail.",
    ),
)
