"""OrganCMNIST: coronal slices of abdominal CT at 224 pixels, of MedMNIST+."""

from medpeft.data.datasets._medmnist import ORGAN_CAVEATS, ORGAN_SOURCE, ORGANS, medmnist

DATASET = medmnist(
    "organcmnist",
    title="OrganCMNIST coronal slices of abdominal CT",
    counts=dict.fromkeys(ORGANS),
    sizes=(12975, 2392, 8216),
    md5="050f5e875dc056f6768abf94ec9995d1",
    source=ORGAN_SOURCE,
    caveats=ORGAN_CAVEATS,
)
