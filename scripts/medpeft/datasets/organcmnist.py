"""OrganCMNIST: coronal slices of abdominal CT at 224 pixels, of MedMNIST+."""

from medpeft.medmnist import ORGANS, medmnist

DATASET = medmnist(
    "organcmnist",
    title="OrganCMNIST coronal slices of abdominal CT",
    counts=dict.fromkeys(ORGANS),
    sizes=(12975, 2392, 8216),
    md5="050f5e875dc056f6768abf94ec9995d1",
    source="LiTS, Bilic et al. 2023, Medical Image Analysis 84:102680",
    caveats=("The organs are cut out of CT volumes and can be told by shape and place alone.",),
)
