"""OrganSMNIST: sagittal slices of abdominal CT at 224 pixels, of MedMNIST+."""

from medpeft.medmnist import ORGANS, medmnist

DATASET = medmnist(
    "organsmnist",
    title="OrganSMNIST sagittal slices of abdominal CT",
    counts=dict.fromkeys(ORGANS),
    sizes=(13932, 2452, 8827),
    md5="b354719e553fbbb2513d5533f52a4cb1",
    source="LiTS, Bilic et al. 2023, Medical Image Analysis 84:102680",
    caveats=("The organs are cut out of CT volumes and can be told by shape and place alone.",),
)
