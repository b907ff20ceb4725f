"""OrganSMNIST: sagittal slices of abdominal CT at 224 pixels, of MedMNIST+."""

from medpeft.data.datasets._medmnist import ORGAN_CAVEATS, ORGAN_SOURCE, ORGANS, medmnist

DATASET = medmnist(
    "organsmnist",
    title="OrganSMNIST sagittal slices of abdominal CT",
    counts=dict.fromkeys(ORGANS),
    sizes=(13932, 2452, 8827),
    md5="b354719e553fbbb2513d5533f52a4cb1",
    source=ORGAN_SOURCE,
    caveats=ORGAN_CAVEATS,
)
