"""Simulated breast ultrasound, made without any download; see `medpeft.data.simulators.breast`."""

from medpeft.data.dataset import Archive, Dataset
from medpeft.data.simulators.breast import generate
from medpeft.data.simulators.contents import index

DATASET = Dataset(
    title="Simulated breast ultrasound",
    archives=(Archive(name="breast_phantom.zip", generate=generate),),
    index=index,
    counts={"benign": 416, "malignant": 200, "normal": 128},
    licence="MIT, as this software",
    access="none needed: generated on this machine",
    citation="Descriptors of masses after Stavros et al. 1995, Radiology 196:123-134",
    sizes=(320, 144, 280),  # validation and test cost little, and small ones would show noise
    caveats=("Simulated images: the descriptor frequencies are chosen, and scores say nothing of patients.",),
)
