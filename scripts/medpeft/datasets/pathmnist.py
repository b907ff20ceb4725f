"""PathMNIST: colon pathology at 224 pixels, of MedMNIST+."""

from medpeft.medmnist import medmnist

DATASET = medmnist(
    "pathmnist",
    title="PathMNIST colon pathology",
    counts=dict.fromkeys(
        (
            "adipose",
            "background",
            "debris",
            "lymphocytes",
            "mucus",
            "smooth muscle",
            "normal colon mucosa",
            "cancer-associated stroma",
            "colorectal adenocarcinoma epithelium",
        )
    ),
    sizes=(89996, 10004, 7180),
    md5="2c51a510bcdc9cf8ddb2af93af1eadec",
    source="Kather et al. 2019, PLOS Medicine 16:e1002730",
    caveats=("Training and validation are patches of the same slides; test patches come from another clinic.",),
)
