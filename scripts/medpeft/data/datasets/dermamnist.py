"""DermaMNIST: pigmented skin lesions at 224 pixels, of MedMNIST+."""

from medpeft.data.dataset import Caveat
from medpeft.data.datasets._medmnist import medmnist

DATASET = medmnist(
    "dermamnist",
    title="DermaMNIST pigmented skin lesions",
    counts={"akiec": 327, "bcc": 514, "bkl": 1099, "df": 115, "mel": 1113, "nv": 6705, "vasc": 142},
    sizes=(7007, 1003, 2005),
    md5="8974907d8e169bef5f5b96bc506ae45d",
    source="HAM10000, Tschandl et al. 2018",
    licence="CC BY-NC 4.0",
    caveats=(
        "These are the images of HAM10000.",
        Caveat(
            "The publisher's split is by image, and images of one lesion lie on both sides (Abhishek et al. 2025, "
            "Scientific Data 12:196).",
            protocol="paper",
        ),
    ),
)
