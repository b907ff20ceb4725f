"""ChestMNIST: chest radiographs with up to several of 14 findings, at 224 pixels, of MedMNIST+."""

from medpeft.data.datasets._medmnist import medmnist

FINDINGS = (
    "atelectasis",
    "cardiomegaly",
    "effusion",
    "infiltration",
    "mass",
    "nodule",
    "pneumonia",
    "pneumothorax",
    "consolidation",
    "edema",
    "emphysema",
    "fibrosis",
    "pleural thickening",
    "hernia",
)
DATASET = medmnist(
    "chestmnist",
    title="ChestMNIST chest radiographs",
    counts=dict.fromkeys(FINDINGS),
    sizes=(78468, 11219, 22433),
    md5="45bd33e6f06c3e8cdb481c74a89152aa",
    source="NIH ChestX-ray14, Wang et al. 2017, CVPR, doi:10.1109/CVPR.2017.369",
    labels="multi-label",
    caveats=(
        "The 14 labels were found in radiologists' reports by text mining. An image without any may show others.",
        "An image comes from one of 30,805 patients, and the file does not tell which.",
    ),
)
