"""PathMNIST: colon pathology at 224 pixels, of MedMNIST+."""

from medpeft.data.dataset import Caveat
from medpeft.data.datasets._medmnist import medmnist

DATASET = medmnist(
    "pathmnist",
    title="PathMNIST colon pathology",
    counts={
        "adipose": 11745,
        "background": 11413,
        "debris": 11851,
        "lymphocytes": 12191,
        "mucus": 9931,
        "smooth muscle": 14128,
        "normal colon mucosa": 9504,
        "cancer-associated stroma": 10867,
        "colorectal adenocarcinoma epithelium": 15550,
    },
    sizes=(89996, 10004, 7180),
    md5="2c51a510bcdc9cf8ddb2af93af1eadec",
    source="Kather et al. 2019, PLOS Medicine 16:e1002730",
    caveats=(
        Caveat(
            "Training and validation are nine to one of patches of the same slides; test patches come from another "
            "clinic.",
            protocol="paper",
        ),
    ),
)
