"""OrganAMNIST: axial slices of abdominal CT at 224 pixels, of MedMNIST+."""

from medpeft.data.datasets._medmnist import ORGAN_CAVEATS, ORGAN_SOURCE, ORGANS, medmnist

DATASET = medmnist(
    "organamnist",
    title="OrganAMNIST axial slices of abdominal CT",
    counts=dict.fromkeys(ORGANS),
    sizes=(34561, 6491, 17778),
    md5="50747347e05c87dd3aaf92c49f9f3170",
    source=ORGAN_SOURCE,
    caveats=ORGAN_CAVEATS,
)
