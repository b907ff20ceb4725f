"""BreastMNIST: breast ultrasound at 224 pixels, of MedMNIST+."""

from medpeft.data.datasets._medmnist import medmnist

DATASET = medmnist(
    "breastmnist",
    title="BreastMNIST breast ultrasound",
    counts={"malignant": 210, "normal or benign": 570},
    sizes=(546, 78, 156),
    md5="b56378a6eefa9fed602bb16d192d4c8b",
    source="BUSI, Al-Dhabyani et al. 2020",
    caveats=("These are the images of BUSI, with its duplicates, in two classes: normal and benign are one.",),
    labels="binary",
    positive="malignant",
)
