"""TissueMNIST: kidney cortex cells at 224 pixels, of MedMNIST+."""

from medpeft.data.dataset import Caveat
from medpeft.data.datasets._medmnist import medmnist

DATASET = medmnist(
    "tissuemnist",
    title="TissueMNIST kidney cortex cells",
    counts=dict.fromkeys(
        (
            "collecting duct or connecting tubule",
            "distal convoluted tubule",
            "glomerular endothelial cells",
            "interstitial endothelial cells",
            "leukocytes",
            "podocytes",
            "proximal tubule segments",
            "thick ascending limb",
        )
    ),
    sizes=(165466, 23640, 47280),
    md5="b077128c4a949f0a4eb01517f9037b9c",
    source="BBBC051, Woloshuk et al. 2021, Cytometry A 99:707",
    caveats=(
        "Cells come from three specimens.",
        Caveat("The publisher split cell by cell.", protocol="paper"),
        "A cell is the maximum over 7 slices of 32 x 32 pixels: 224 pixels show no more.",
    ),
)
